"""Print a table of all findings in Markdown, made from the heads of the scripts.

python findings/table.py
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

FOLDER = Path(__file__).parent
FIELDS = ("packages", "guess", "seen", "matters")


@dataclass(frozen=True)
class Head:
    """What the comment at the top of a finding says."""

    name: str
    title: str
    packages: str
    guess: str
    seen: str
    matters: str


def scripts() -> list[Path]:
    """Return the findings, by name."""
    return sorted(FOLDER.glob("*.sh"))


def read_head(path: Path) -> Head:
    """Return the head of a script.

    Raises:
        ValueError: a field lacks, comes twice or is out of order, or the packages go on in a second line.
    """
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    comment = takewhile(lambda line: line.startswith("#"), lines)
    joined = re.sub(r"\n#   \s*", " ", "\n".join(comment))
    names, values = [], []
    for line in joined.splitlines():
        name, _, value = line.removeprefix("# ").partition(": ")
        names.append(name)
        values.append(value.strip())
    if names != [path.stem, *FIELDS]:
        raise ValueError(f"{path.name}: the head has {names}, not {[path.stem, *FIELDS]}")
    head = Head(path.stem, *values)
    if f"# packages: {head.packages}" not in lines:
        raise ValueError(f"{path.name}: put the packages on one line, which support/environment.sh reads")
    return head


def table(heads: Iterable[Head]) -> list[str]:
    """Return a Markdown table of findings, as lines."""
    lines = ["| script | guess | what was seen | why it matters | seen with |", "|---|---|---|---|---|"]
    for head in heads:
        cells = (f"`findings/{head.name}.sh`: {head.title}", head.guess, head.seen, head.matters, head.packages)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return lines


def main() -> None:
    """Print the table of all findings."""
    print("\n".join(table(map(read_head, scripts()))))


if __name__ == "__main__":
    main()
