"""Write the parts of the pages that are made from code, and check the links between pages.

python docs/generate.py            write docs/parameters.md, docs/commands.md, and the tables within other pages
python docs/generate.py --check    exit 1 where they differ from what the code says, or a link is broken

A page marks a table with two comments: `<!-- made from: method LoRA -->` and `<!-- end -->`. The mark is a kind (task,
method, quantizer, launcher) and a name; `contract NAME`: what a protocol of `adapt_core.contracts` must answer;
`example NAME`: the modules of a plugin in examples/plugins; `legacy honoured` or `legacy gone`: keys of nyuntam_adapt;
`metrics class`: the metrics of METRICS that score a kind of predictions;
`behaviours known` or `behaviours found`: docs/behaviours.toml, and the scripts in findings/ that it does not name.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from adapt_core.cli import cli
from adapt_core.cli.params import describe
from adapt_core.config import legacy
from adapt_core.config.core_params.groups import changed_by
from adapt_core.config.declared import declared
from adapt_core.config.known_keys import DISTRIBUTIONS
from adapt_core.contracts import (
    DataCheck,
    Exporter,
    Format,
    Launcher,
    Loop,
    Method,
    ParallelStrategy,
    Quantizer,
    Task,
    Tracker,
)
from adapt_core.evaluated_rows import KINDS
from adapt_core.execution.components import answers
from adapt_core.plugin.params import Parameter
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import TaskSpec

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from findings.table import read_head, scripts  # noqa: E402
from findings.table import table as findings_table  # noqa: E402

DOCS = ROOT / "docs"
WHOLE_PAGES = ("parameters.md", "commands.md")
EXAMPLES = ROOT / "examples" / "plugins"
CONTRACTS = (Task, Method, Quantizer, Launcher, Loop, ParallelStrategy, Format, DataCheck, Exporter, Tracker)
MADE = re.compile(r"(<!-- made from: (\w+ [\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
OWN = ("adapt-core", *DISTRIBUTIONS)
LINKED_PAGES = ("*.md", "docs/**/*.md", "plugins/*/README.md", "examples/**/*.md")


def table(parameters: Iterable[Parameter]) -> list[str]:
    """Return a Markdown table of parameters, as lines."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for row in map(describe, parameters):
        switch = f" (turned on by `{row['on']}`)" if row["on"] else ""
        default = f"`{row['default']}`" if row["default"] else ""
        meaning = row["help"].replace("|", "\\|")
        lines.append(f"| `{row['key']}` | {row['type']} | {default}{switch} | {meaning} |")
    return lines


def parameters_page(registry: Registry) -> str:
    """Return the page of every parameter of the installed distributions."""
    lines = [
        "# Parameters",
        "",
        "`docs/generate.py` makes this page from the declarations; `adapt params` prints the same. Keys are",
        "case-insensitive. A key with an empty default is not set.",
    ]
    for owned in declared(registry):
        lines += ["", f"## {_without_version(owned.title)}", ""]
        lines += table(owned.parameters) if owned.parameters else ["Takes no parameters."]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Return the page with the output of `adapt COMMAND --help` for each command."""
    lines = ["# Commands", "", "The output of `adapt COMMAND --help`, written by `docs/generate.py`."]
    lines += ["", "Exit codes: 0 success, 2 invalid input, 1 a defect of adapt or a plugin, 130 interrupted."]
    context = click.Context(cli, info_name="adapt", max_content_width=100, terminal_width=100)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is None:
            raise LookupError(f"adapt has no command {name}, which it lists")
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100, max_content_width=100)
        lines += ["", f"## adapt {name}", "", "```text", command.get_help(inner), "```"]
    return "\n".join(lines) + "\n"


def made_parts(registry: Registry) -> dict[str, str]:
    """Return the text of each mark `<!-- made from: KIND NAME -->`, by KIND NAME."""
    tasks = {item.spec.name: item.spec for item in registry.tasks}
    parts = {}
    for owned in declared(registry):
        own = table(owned.parameters) if owned.parameters else [f"`{owned.name}` takes no parameters of its own."]
        about = _about(tasks[owned.name]) if owned.title.startswith("task ") else []
        parts[_without_version(owned.title)] = "\n".join([*about, *own, ""])
    honoured = [f"| `{key.upper()}` | {meaning} |" for key, meaning in legacy.HONOURED.items()]
    gone = [f"| `{key.upper()}` | {reason} |" for key, reason in legacy.WITHOUT_EFFECT.items()]
    parts |= {f"contract {contract.__name__}": contract_table(contract) for contract in CONTRACTS}
    parts |= {f"metrics {kind}": metrics_table(registry, kind) for kind in KINDS}
    parts["example adapt-text-regression"] = example_code("adapt-text-regression")
    parts["legacy honoured"] = "\n".join(["| key | now |", "|---|---|", *honoured, ""])
    parts["legacy gone"] = "\n".join(["| key | why |", "|---|---|", *gone, ""])
    known = tomllib.loads((DOCS / "behaviours.toml").read_text(encoding="utf-8"))["behaviour"]
    parts["behaviours known"] = "\n".join(_behaviours(known))
    named = {row.get("finding") for row in known}
    others = (read_head(script) for script in scripts() if script.stem not in named)
    parts["behaviours found"] = "\n".join([*findings_table(others), ""])
    return parts


def _behaviours(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table for each topic of docs/behaviours.toml."""
    topic = None
    for row in rows:
        if row["topic"] != topic:
            yield from () if topic is None else ("",)
            topic = row["topic"]
            yield from (f"## {topic}", "", "| behaviour | seen with | adapt | tests |", "|---|---|---|---|")
        seen = "<br>".join(f"{package} {version}" for package, version in row["versions"].items())
        if "finding" in row:
            seen += f"<br>`findings/{row['finding']}.sh`"
        tests = "<br>".join(f"`{test.rpartition('/')[2]}`" for test in row["tests"])
        cells = (row["what"], seen, row["adapt"], tests)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def contract_table(contract: type) -> str:
    """Return a Markdown table of what an implementation of a contract must answer."""
    lines = ["| method | what it must do |", "|---|---|"]
    for name in answers(contract):
        method = getattr(contract, name)
        arguments = ", ".join(list(inspect.signature(method).parameters)[1:])
        first = (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        lines.append(f"| `{name}({arguments})` | {first} |")
    return "\n".join([*lines, ""])


def metrics_table(registry: Registry, kind: str) -> str:
    """Return a Markdown table of the metrics that METRICS can add where predictions are of a kind."""
    lines = ["| name | what it is | better | from, to | keys | of |", "|---|---|---|---|---|---|"]
    for item in registry.metrics:
        spec = item.spec
        if kind in spec.kinds and item.provenance.distribution in OWN:
            names = "`, `".join(spec.figures if spec.figures != (spec.name,) else (spec.name, *spec.aliases))
            name = f"`{spec.name}`: `{names}`" if spec.figures != (spec.name,) else f"`{names}`"
            keys = ", ".join(f"`{parameter.key}`" for parameter in registry.parameters(item).values())
            least, greatest = (f"{bound:g}".replace("inf", "∞") for bound in spec.bounds)
            cells = (name, spec.summary, spec.direction, f"{least}, {greatest}", keys, item.provenance.distribution)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def example_code(name: str) -> str:
    """Return the hook module and the implementation of an example plugin as fences of the files that they are."""
    package = name.replace("-", "_")
    sources = [EXAMPLES / name / package / f"{module}.py" for module in ("plugin", "task")]
    fences = [
        f'```python title="{package}/{source.name}"\n{source.read_text(encoding="utf-8")}```\n' for source in sources
    ]
    return "\n".join(fences)


def _without_version(title: str) -> str:
    return re.sub(r" [(].*[)]$", "", title)


def _about(task: TaskSpec) -> list[str]:
    metrics = ", ".join(f"`{name}`" for name in task.metrics) or "`loss`"
    lines = [f"Metrics: {metrics} and `loss`. The first that a run reports is the default of `METRIC_FOR_BEST`.", ""]
    changed = ", ".join(f"`{parameter.key}`" for parameter in changed_by(task))
    if changed:
        lines += [
            f"Common keys whose default or choices depend on the task are at the end of the table: {changed}.",
            "",
        ]
    return lines


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page with parts made from code, and its text."""
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
    """Yield the broken links between pages."""
    for pattern in LINKED_PAGES:
        for page in ROOT.glob(pattern):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
                if not (page.parent / target).exists():
                    yield f"{page.relative_to(ROOT)}: {target} does not exist"


def main() -> int:
    """Write the pages, or compare them with --check."""
    if "--check" not in sys.argv:
        for page, text in pages():
            page.write_text(text, encoding="utf-8")
        return 0
    problems = list(broken_links())
    for page, text in pages():
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            problems.append(f"{page.relative_to(ROOT)} is out of date: python docs/generate.py")
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
