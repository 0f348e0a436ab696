"""KEEP: soup in a report: the checkpoints that were tried, and what the average with each of them was worth."""

from __future__ import annotations

import attrs

from adapt_core.result_records import SoupRecord
from adapt_core.runtime.format import score


@attrs.frozen
class SoupSection:
    """The section of an average.

    Attributes:
        summary: a sentence.
        metric: that decided.
        rows: of each checkpoint, from the best: its step, its metric alone, that of the average with it, and whether it
            was taken.
    """

    summary: str
    metric: str
    rows: list[tuple[str, str, str, str]]


def soup_section(soup: SoupRecord | None) -> SoupSection | None:
    """Return the section; None where nothing was averaged.

    Args:
        soup: as in `RunResult`.
    """
    if soup is None:
        return None
    rows = [
        (str(one["step"]), score(one["alone"]), score(one["together"]), "yes" if one["taken"] else "no")
        for one in soup["tried"]
    ]
    return SoupSection(soup_line(soup), soup["metric"], rows)


def soup_line(soup: SoupRecord) -> str:
    """Return what was averaged, in a sentence."""
    best = soup["tried"][0]
    if len(soup["steps"]) == 1:
        return f"No average with the checkpoint of step {best['step']} was as good on the validation split as it is."
    steps = ", ".join(map(str, soup["steps"]))
    norms = f" Statistics of {soup['batch_norms']} batch norms were estimated again." if soup["batch_norms"] else ""
    return (
        f"The weights are the average of those of steps {steps}: {soup['metric']} {score(soup['value'])} on the "
        f"validation split, {score(best['alone'])} with the best of them alone.{norms}"
    )
