"""Print a table of all findings in Markdown, made from the heads of the scripts.

python findings/table.py
"""

import re
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
    """Return the head of a script. Raise ValueError where a field lacks, comes twice or is out of order."""
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
    return Head(path.stem, *values)


def main() -> None:
    """Print the table."""
    print("| finding | packages | guess | seen |\n|---|---|---|---|")
    for head in map(read_head, scripts()):
        print(f"| `{head.name}`: {head.title} | {head.packages} | {head.guess} | {head.seen} |")


if __name__ == "__main__":
    main()
