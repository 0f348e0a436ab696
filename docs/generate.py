"""Writes the pages that are made from code, and checks that every link between pages leads somewhere.

python docs/generate.py            write docs/parameters.md
python docs/generate.py --check    exit 1 where it differs from what the code says, or a link is broken
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from adapt_core.cli.params import describe, sections
from adapt_core.registry import Registry

ROOT = Path(__file__).parent.parent
PARAMETERS = ROOT / "docs" / "parameters.md"
PAGES = (
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("plugins/*/README.md"),
    *ROOT.glob("examples/**/*.md"),
)


def parameters_page() -> str:
    """Every parameter of the installed distributions, as Markdown."""
    lines = [
        "# Parameters",
        "",
        "Made from the declarations by `docs/generate.py`; `adapt params` prints the same. Keys match without regard",
        "to case. An empty default means: not given.",
    ]
    for title, _, parameters in sections(Registry.discover()):
        lines += ["", f"## {re.sub(r' [(].*[)]$', '', title)}", ""]
        if not parameters:
            lines.append("Takes no parameters.")
            continue
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for row in map(describe, parameters):
            switch = f" (turned on by `{row['on']}`)" if row["on"] else ""
            default = f"`{row['default']}`" if row["default"] else ""
            meaning = row["help"].replace("|", "\\|")
            lines.append(f"| `{row['key']}` | {row['type']} | {default}{switch} | {meaning} |")
    return "\n".join(lines) + "\n"


def broken_links() -> Iterator[str]:
    """Links between pages that lead nowhere."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: {target} does not exist"


def main() -> int:
    """Writes, or checks with --check."""
    page = parameters_page()
    if "--check" not in sys.argv:
        PARAMETERS.write_text(page, encoding="utf-8")
        return 0
    problems = list(broken_links())
    if not PARAMETERS.exists() or PARAMETERS.read_text(encoding="utf-8") != page:
        problems.append("docs/parameters.md is not what the code says: python docs/generate.py")
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
