"""Try every kind with every command, print the table, and exit with 1 where a marker appeared or a defect was met."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stress.hostile_folders import commands, detectors, kinds
from stress.hostile_folders.kinds import Kind
from stress.hostile_folders.subjects import SUBJECTS, Subject, is_available

KINDS = [*kinds.KINDS, *detectors.KINDS]
_BETWEEN = re.compile(r"(?<=<!-- made by: python -m stress\.hostile_folders -->\n).*?(?=<!-- end -->)", re.DOTALL)


def tried(kind: Kind, subject: Subject, names: Sequence[str], *, with_trust: bool) -> dict[str, Any]:
    """Return what each command does with a hostile copy of a run: its outcome and its message."""
    found: dict[str, Any] = {"kind": kind.name, "subject": kind.subject, "commands": {}, "messages": {}}
    for name in names:
        found["commands"][name], found["messages"][name] = _once(kind, subject, name, trust=False)
    if with_trust and kind.with_trust is not None:
        found["trust"], found["message with trust"] = _once(kind, subject, kind.with_trust, trust=True)
    return found


def _once(kind: Kind, subject: Subject, name: str, *, trust: bool) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as work:
        run, marker = Path(work) / "run", Path(work) / "it-ran"
        shutil.copytree(subject.run, run)
        if (subject.run.parent / "base").is_dir():
            shutil.copytree(subject.run.parent / "base", run.parent / "base")
        kind.plant(run, marker)
        assert not marker.exists(), f"{kind.name}: its own planting left the marker"
        return commands.outcome(name, run, subject, marker, trust=trust)


def findings(found: dict[str, Any]) -> list[str]:
    """Return what must not be: a marker without trust, none with it, a defect."""
    words = [
        f"{found['kind']}, {name}: {state}: {found['messages'][name]}"
        for name, state in found["commands"].items()
        if state not in ("refused", "harmless", "")
    ]
    if found.get("trust", "fired") != "fired":
        words.append(f"{found['kind']}, with trust: {found['trust']}: {found['message with trust']}")
    return words


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of all kinds and commands in Markdown."""
    names = list(commands.COMMANDS)
    lines = [f"| in a run of | kind | {' | '.join(names)} | with trust |", "|---" * (len(names) + 3) + "|"]
    for row in rows:
        cells = [row["commands"].get(name, "") for name in names]
        trust = "runs" if row.get("trust") == "fired" else row.get("trust", "")
        lines.append(f"| {row['subject']} | {row['kind']} | {' | '.join(cells)} | {trust} |")
    return "\n".join(lines) + "\n"


def rows_of(subject: str, only: str, names: Sequence[str], *, with_trust: bool) -> Iterator[dict[str, Any]]:
    """Make a subject and try its kinds whose name contains a text."""
    chosen = [kind for kind in KINDS if kind.subject == subject and only in kind.name]
    if not chosen:
        return
    with tempfile.TemporaryDirectory() as work:
        made = SUBJECTS[subject][0](Path(work))
        # Last: what runs with trust stays in the process.
        for kind in sorted(chosen, key=lambda kind: kind.with_trust is not None):
            yield tried(kind, made, names, with_trust=with_trust)


def main() -> None:
    """Try the chosen kinds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    parser.add_argument("--subject", action="append", choices=list(SUBJECTS), help="only kinds in these runs")
    parser.add_argument("--command", action="append", choices=list(commands.COMMANDS), help="only these commands")
    parser.add_argument("--no-trust", action="store_true", help="leave out the trials with TRUST_REMOTE_CODE")
    parser.add_argument("--out", type=Path, help="a JSON file of the outcomes and messages")
    parser.add_argument("--page", type=Path, help="a page to write the table into, between its two comments")
    given = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": tempfile.mkdtemp()}
    logging.disable(logging.ERROR)
    rows: list[dict[str, Any]] = []
    for subject in given.subject or SUBJECTS:
        if not is_available(subject):
            print(f"{subject}: not tried, its packages are not installed", flush=True)
            continue
        for row in rows_of(
            subject, given.only, given.command or list(commands.COMMANDS), with_trust=not given.no_trust
        ):
            rows.append(row)
            print(json.dumps({"kind": row["kind"], **row["commands"], "trust": row.get("trust")}), flush=True)
    shutil.rmtree(os.environ["HF_MODULES_CACHE"])
    print(table(rows))
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if given.page:
        text = given.page.read_text(encoding="utf-8")
        given.page.write_text(_BETWEEN.sub(lambda _: "\n" + table(rows) + "\n", text, count=1), encoding="utf-8")
    wrong = [words for row in rows for words in findings(row)]
    print("\n".join(wrong) or f"{len(rows)} kinds tried: no marker, no defect")
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
