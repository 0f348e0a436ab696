"""Writes what of the pages is made from code, and checks that every link between pages leads somewhere.

python docs/generate.py            write docs/parameters.md, docs/commands.md, and the tables within other pages
python docs/generate.py --check    exit 1 where they differ from what the code says, or a link is broken

A page takes a table between two comments: `<!-- made from: method LoRA -->` and `<!-- end -->`. What may stand there is
a kind (task, method, quantizer, launcher) and a name, or `legacy honoured` and `legacy gone`: names of the tool before.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from adapt_core.cli import COMMANDS, cli
from adapt_core.cli.params import changed_by, describe, sections
from adapt_core.config import legacy
from adapt_core.plugin.params import Parameter
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import TaskSpec

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WHOLE_PAGES = ("parameters.md", "commands.md")
MADE = re.compile(r"(<!-- made from: (\w+ \w+) -->\n).*?(<!-- end -->)", re.DOTALL)
LINKED_PAGES = ("*.md", "docs/**/*.md", "plugins/*/README.md", "examples/**/*.md")


def table(parameters: Iterable[Parameter]) -> list[str]:
    """Parameters as the lines of a Markdown table."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for row in map(describe, parameters):
        switch = f" (turned on by `{row['on']}`)" if row["on"] else ""
        default = f"`{row['default']}`" if row["default"] else ""
        meaning = row["help"].replace("|", "\\|")
        lines.append(f"| `{row['key']}` | {row['type']} | {default}{switch} | {meaning} |")
    return lines


def parameters_page(registry: Registry) -> str:
    """Every parameter of the installed distributions."""
    lines = [
        "# Parameters",
        "",
        "Made from the declarations by `docs/generate.py`; `adapt params` prints the same. Keys match without regard",
        "to case. An empty default means: not given.",
    ]
    for title, _, parameters in sections(registry):
        lines += ["", f"## {_without_version(title)}", ""]
        lines += table(parameters) if parameters else ["Takes no parameters."]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """What `adapt COMMAND --help` prints, for each command."""
    lines = ["# Commands", "", "Made from `adapt COMMAND --help` by `docs/generate.py`."]
    lines += ["", "Exit codes: 0 done, 2 the input is at fault, 1 a defect of adapt or a plugin, 130 interrupted."]
    context = click.Context(cli, info_name="adapt", max_content_width=100, terminal_width=100)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is None:
            raise LookupError(f"adapt has no command {name}, which adapt_core.cli.COMMANDS lists")
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100, max_content_width=100)
        lines += ["", f"## adapt {name}", "", "```text", command.get_help(inner), "```"]
    return "\n".join(lines) + "\n"


def made_parts(registry: Registry) -> dict[str, str]:
    """What may be named in `<!-- made from: KIND NAME -->` -> the lines that belong there."""
    tasks = {item.spec.name: item.spec for item in registry.tasks}
    parts = {}
    for title, name, parameters in sections(registry):
        own = table(parameters) if parameters else [f"`{name}` takes no parameters of its own."]
        about = _about(tasks[name]) if title.startswith("task ") else []
        parts[_without_version(title)] = "\n".join([*about, *own, ""])
    honoured = [f"| `{key.upper()}` | {meaning} |" for key, meaning in legacy.HONOURED.items()]
    gone = [f"| `{key.upper()}` | {reason} |" for key, reason in legacy.WITHOUT_EFFECT.items()]
    parts["legacy honoured"] = "\n".join(["| key | now |", "|---|---|", *honoured, ""])
    parts["legacy gone"] = "\n".join(["| key | why |", "|---|---|", *gone, ""])
    return parts


def _without_version(title: str) -> str:
    return re.sub(r" [(].*[)]$", "", title)


def _about(task: TaskSpec) -> list[str]:
    best = next(iter(task.metrics), "loss")
    metrics = ", ".join(f"`{name}`" for name in task.metrics) or "`loss`"
    lines = [f"Metrics: {metrics} and `loss`. `METRIC_FOR_BEST` is `{best}` where it is not given.", ""]
    changed = ", ".join(f"`{parameter.key}`" for parameter in changed_by(task))
    if changed:
        lines += [f"Common keys whose default or choices differ here stand last: {changed}.", ""]
    return lines


def pages() -> Iterator[tuple[Path, str]]:
    """Each page that has something made from code, and what it should read."""
    registry = Registry.discover()
    yield DOCS / "parameters.md", parameters_page(registry)
    yield DOCS / "commands.md", commands_page()
    parts = made_parts(registry)
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if page.name in WHOLE_PAGES or not MADE.search(text):
            continue
        yield page, MADE.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n{found[3]}", text)


def broken_links() -> Iterator[str]:
    """Links between pages that lead nowhere."""
    for pattern in LINKED_PAGES:
        for page in ROOT.glob(pattern):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
                if not (page.parent / target).exists():
                    yield f"{page.relative_to(ROOT)}: {target} does not exist"


def main() -> int:
    """Writes, or checks with --check."""
    if "--check" not in sys.argv:
        for page, text in pages():
            page.write_text(text, encoding="utf-8")
        return 0
    problems = list(broken_links())
    for page, text in pages():
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            problems.append(f"{page.relative_to(ROOT)} is not what the code says: python docs/generate.py")
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
