"""What checks of the data found before training, as texts for the report and for `adapt check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from adapt_core.result_records import CheckRecord, VerdictRecord
from adapt_core.runtime.format import span


@attrs.frozen
class ShownFinding:
    """A finding: its sentence, whether it is a warning, and the rows that it names, a text each."""

    message: str
    warns: bool
    rows: list[str]


@attrs.frozen
class ShownCheck:
    """A check with what it found; a check that found nothing, or was left out, has one finding that says so."""

    name: str
    summary: str
    findings: list[ShownFinding]


def verdict_section(verdict: VerdictRecord) -> list[ShownCheck]:
    """Return the checks of a verdict in their order."""
    return [ShownCheck(name, check["summary"], _findings(check)) for name, check in verdict.get("checks", {}).items()]


def _findings(check: CheckRecord) -> list[ShownFinding]:
    found = [ShownFinding(one["message"], one["warns"], list(map(in_words, one["rows"]))) for one in check["findings"]]
    if check["left_out"]:
        found.append(ShownFinding(f"left out: {check['left_out']}", False, []))
    return found or [ShownFinding(f"nothing found ({span(check['seconds'])})", False, [])]


def in_words(row: Mapping[str, Any]) -> str:
    """Return how a row is named: "validation row 3: 'free money' (label spam; like train row 17: 'free  money')"."""
    named = (
        f"{row.get('split')} row {row['row']}" if "row" in row else f"{row.get('split')} example {row.get('example')}"
    )
    if "read_from" in row:
        named = f"{row.get('split')} ({row['read_from']} row {row.get('row')})"
    shown = row.get("image") or (repr(row["text"]) if "text" in row else "")
    further = [
        f"{name.replace('_', ' ')} {in_words(value) if isinstance(value, Mapping) else value}"
        for name, value in row.items()
        if name not in ("split", "row", "example", "read_from", "image", "text")
    ]
    text = f"{named}: {shown}" if shown else named
    return f"{text} ({'; '.join(further)})" if further else text
