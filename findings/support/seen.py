"""What a finding compares: prints each value seen, and ends the script with a line where it is another."""

import sys


def seen(what: str, value: object, expected: object = True) -> None:
    """Print `value`, and exit with code 1 where it is not the one that was seen when the finding was written."""
    print(f"{what}: {value}")
    if value != expected:
        sys.exit(f"changed: {what}: now {value!r}, was {expected!r}")
