"""Run the benchmarks one after the other, each as the command that docs/benchmarks.md names.

    python -m benchmarks --data ../shared/data                  all of them: hours on two cores
    python -m benchmarks --data ../shared/data --only growth    one; may be repeated
    python -m benchmarks --list                                 the commands
    python -m benchmarks --record growth printed.log            one that was run by hand, from what it printed
    python -m benchmarks --write                                the page alone, from what is recorded

Each runs in a process of its own. Its output is shown as it is printed and recorded in benchmarks/benchmarks.json with
the seconds, the commit and the versions; its figures go into the tables of docs/benchmarks.md, compared with the
targets of benchmarks/targets.toml. What could only say that it was left out (its peer is not installed; there is no
GPU) replaces no figures. A summary comes last; the exit code is 1 if one failed.

The Pythons of peers that live in environments of their own are taken from LLAMA_FACTORY_PYTHON and TRL_PYTHON.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmarks.outputs import LEFT_OUT, label, objects
from benchmarks.page import with_tables
from benchmarks.suite import SUITE, command

ROOT = Path(__file__).parent.parent
PRINTED = Path(__file__).parent / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
_SHOWN = (
    "adapt-",
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "peft",
    "trl",
    "bitsandbytes",
    "timm",
    "onedl-",
    "mmpose",
    "pycocotools",
    "faster-coco-eval",
)


def run(name: str, data: Path) -> dict[str, Any]:
    """Run a benchmark, echo its output, and return the output with exit code and seconds."""
    begun = time.perf_counter()
    lines = []
    arguments = [sys.executable, "-m", *command(name, data)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    return {"exit_code": process.returncode, "seconds": round(time.perf_counter() - begun), "printed": lines}


def circumstances(commit: str = "HEAD") -> dict[str, Any]:
    """Return the full name of a commit, and the versions."""
    told = subprocess.run(["git", "rev-parse", commit], cwd=ROOT, capture_output=True, text=True, check=False)
    installed = {found.name.lower(): found.version for found in distributions()}
    versions = {name: version for name, version in sorted(installed.items()) if name.startswith(_SHOWN)}
    return {"commit": told.stdout.strip(), "python": sys.version.split()[0], "versions": versions}


def by_hand(name: str, file: Path) -> dict[str, Any]:
    """Return the outcome of a benchmark that was run by hand.

    Args:
        name: in the suite. Of `peers: JOB` and `learned_tokens: ROW` only the objects of that job or row are taken.
        file: what was printed, among other lines perhaps.

    Raises:
        SystemExit: no JSON object of the benchmark is in the file.
    """
    found = list(objects(file.read_text(encoding="utf-8", errors="replace").splitlines()))
    _, _, part = name.partition(": ")
    # A peer that takes long prints what it has so far, without its pairs.
    found = [told for told in found if not part or (label(told) == part and ("pairs" in told or LEFT_OUT in told))]
    if not found:
        raise SystemExit(f"{file} has no JSON object of {name}")
    return {"exit_code": 0, "seconds": None, "printed": [json.dumps(told) for told in found]}


def keep(name: str, outcome: dict[str, Any], out: Path) -> dict[str, Any]:
    """Write an outcome into the record, unless it only says what was left out; return the record."""
    known: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    told = list(objects(outcome["printed"]))
    if not (name in known and told and all(LEFT_OUT in one for one in told)):
        known[name] = outcome
        out.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return known


def write(page: Path, known: dict[str, Any]) -> None:
    """Write the tables of the page."""
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    page.write_text(with_tables(before, known), encoding="utf-8")


def main() -> None:
    """Run the chosen benchmarks, or record one that was run by hand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument(
        "--only", action="append", choices=list(SUITE), metavar="NAME", help="may be repeated; default: all"
    )
    parser.add_argument("--list", action="store_true", help="print the commands and run nothing")
    parser.add_argument("--record", nargs=2, metavar=("NAME", "FILE"), help="take what was printed from a file")
    parser.add_argument("--commit", default="HEAD", help="with --record: the commit that was measured")
    parser.add_argument("--write", action="store_true", help="write the page and run nothing")
    parser.add_argument("--out", type=Path, default=PRINTED, help="the record; default: benchmarks/benchmarks.json")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page; default: docs/benchmarks.md")
    given = parser.parse_args()
    data = given.data.resolve()
    names = given.only or list(SUITE)
    if given.list:
        print("\n".join(f"{name}: python -m {shlex.join(command(name, given.data))}" for name in names))
    elif given.write:
        write(given.page, json.loads(given.out.read_text(encoding="utf-8")))
    elif given.record:
        name, file = given.record
        if name not in SUITE:
            parser.error(f"--record: no benchmark is named {name!r}; --list has the names")
        outcome = {**by_hand(name, Path(file)), **circumstances(given.commit)}
        write(given.page, keep(name, outcome, given.out))
    else:
        run_all(names, data, given.out, given.page)


def run_all(names: Sequence[str], data: Path, out: Path, page: Path) -> None:
    """Run benchmarks and record each that ends well.

    Raises:
        SystemExit: one failed.
    """
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        outcome = run(name, data)
        if outcome["exit_code"]:
            failed.append(name)
        else:
            write(page, keep(name, {**outcome, **circumstances()}, out))
    print(f"{len(names) - len(failed)} of {len(names)} ran" + (f"; failed: {', '.join(failed)}" if failed else ""))
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
