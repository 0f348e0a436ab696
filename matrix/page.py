"""The page docs/matrix.md, made from the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.small_jobs import JOBS
from matrix.cells import BASES, LAUNCHERS, METHODS, Cell, Settled

_HEAD = """# The matrix: every job, method, base and launcher

`python -m matrix --data ../shared/data` runs it and writes this page. It trains small models with random weights
(`benchmarks/small_jobs.py`) on slices of real data: the matrix shows that a combination works from the config to the
saved model, not how good the result is ([results](results.md)).

A cell with two losses ran: it shows the validation loss before and after training, and the relative difference of the
loss when a new process loads and evaluates the saved model. "refused": `adapt check` refuses the config, with the
message at the end of the page. "covered": `adapt check` accepts it, and its components run in the local cell of the
same method and base and in `full` under the same launcher. "failed" is a defect. "not run" has no outcome yet.
"""


def page(cells: Sequence[Cell], settled: Mapping[str, Settled]) -> str:
    """Return the page.

    Args:
        cells: all.
        settled: by the cell's name; those that are missing are "not run".
    """
    notes: dict[str, int] = {}
    counts = Counter(settled[cell.name].state if cell.name in settled else "not run" for cell in cells)
    lines = [_HEAD, f"{len(cells)} cells: {', '.join(f'{n} {state}' for state, n in counts.most_common())}.", ""]
    by_name = {(c.job, c.method, c.base, c.launcher): c for c in cells}
    for launcher in LAUNCHERS:
        lines += [f"## {launcher}", "", f"| job | base | {' | '.join(METHODS)} |", "|---" * (len(METHODS) + 2) + "|"]
        for job in JOBS:
            for base in BASES:
                row = [by_name[job.name, method, base, launcher] for method in METHODS]
                texts = [_text(settled.get(cell.name), notes) for cell in row]
                lines.append(f"| {job.name} | {base} | {' | '.join(texts)} |")
        lines.append("")
    lines += ["## Messages of refusals and failures", ""]
    lines += [f"{number}. {text}" for text, number in notes.items()]
    commits = sorted({known.commit for known in settled.values()})
    lines += ["", f"Run at the commits {', '.join(commits)}; `matrix/matrix.json` has the commit of each cell."]
    return "\n".join(lines) + "\n"


def _text(settled: Settled | None, notes: dict[str, int]) -> str:
    if settled is None:
        return "not run"
    if settled.state == "ran":
        return settled.text
    if settled.state == "covered":
        return "covered"
    words = " ".join(settled.text.replace("|", "\\|").split())
    return f"{settled.state} [{notes.setdefault(words, len(notes) + 1)}]"
