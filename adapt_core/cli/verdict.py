"""The verdict on the data as `adapt check` prints it."""

from __future__ import annotations

from adapt_core.cli.output import say
from adapt_core.result_records import VerdictRecord

_ROWS = 3
"""Rows of a finding that are printed; `--json` has more."""


def show_verdict(verdict: VerdictRecord) -> None:
    """Print what each check of the data found, with a few of the rows that it names."""
    from adapt_core.cli.tables import paragraph, table
    from adapt_core.report.verdict import verdict_section
    from adapt_core.runtime.plain_text import in_one_line

    checks = verdict_section(verdict)
    if not checks:
        return
    rows = [["check of the data", "found"]]
    for check in checks:
        rows += [[check.name if number == 0 else "", one.message] for number, one in enumerate(check.findings)]
    say()
    say(table(rows))
    for check in checks:
        for finding in check.findings:
            for row in finding.rows[:_ROWS]:
                say(paragraph(f"{check.name}: {in_one_line(row)}"))
