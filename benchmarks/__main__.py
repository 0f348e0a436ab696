"""Run the benchmarks one after the other, each as the command that docs/benchmarks.md names.

    python -m benchmarks --data ../shared/data                  all of them: hours on two cores
    python -m benchmarks --data ../shared/data --only growth    one; may be repeated
    python -m benchmarks --list                                 the commands

Each runs in a process of its own. Its output is shown as it is printed and recorded in benchmarks/benchmarks.json with
the seconds, the commit and the versions; its figures go into the last table of docs/benchmarks.md. A summary comes
last; the exit code is 1 if one failed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmarks.page import with_table
from benchmarks.peers.jobs import JOBS

ROOT = Path(__file__).parent.parent
PRINTED = Path(__file__).parent / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
SUITE: dict[str, tuple[str, ...]] = {
    "startup": ("benchmarks.startup",),
    "calibration": ("benchmarks.calibration", "--data", "DATA"),
    "verdict": ("benchmarks.verdict", "--data", "DATA", "--seeds", "3"),
    "first_results": ("benchmarks.first_results", "--data", "DATA"),
    "check_and_report": ("benchmarks.check_and_report",),
    "adapter_sizes": ("benchmarks.adapter_sizes",),
    "training_check": ("benchmarks.training_check",),
    **{f"peers: {job}": ("benchmarks.peers", "--data", "DATA", "--pairs", "5", "--job", job) for job in JOBS},
    "image_classification": (
        *("benchmarks.image_classification", "plain", "--data", "DATA/hymenoptera", "--method", "last_layer"),
        *("--epochs", "0.5", "--pairs", "5", "--side-by-side"),
    ),
    "frozen part, time": ("benchmarks.frozen_part", "time", "--data", "DATA", "--pairs", "5"),
    "frozen part, views": ("benchmarks.frozen_part", "views", "--data", "DATA", "--seeds", "5"),
    "detection": ("benchmarks.detection", "--data", "DATA/bccd_coco", "--pairs", "5", "--steps", "10"),
    "coco_scoring": ("benchmarks.coco_scoring", "--data", "DATA"),
    "intervals": ("benchmarks.intervals",),
    "paired_test": ("benchmarks.paired_test", "--data", "DATA/ag_news"),
    "paired_runs": ("benchmarks.paired_runs", "--data", "DATA/ag_news"),
    "data_loading": ("benchmarks.data_loading", "--data", "DATA"),
    "generated evaluations": (
        "benchmarks.generated_evaluations",
        *("--data", "DATA/alpaca_demo", "--train", "240", "--pairs", "2"),
    ),
    "ddp": ("benchmarks.ddp", "--data", "DATA/ag_news", "--pairs", "5"),
    "checkpoint_pauses": ("benchmarks.checkpoint_pauses", "--data", "DATA/tinyshakespeare"),
    "products": ("benchmarks.products",),
    "learned_tokens": ("benchmarks.learned_tokens", "--data", "DATA/tinyshakespeare"),
    "full_tuning": ("benchmarks.full_tuning", "--data", "DATA/tinyshakespeare"),
    "compiled_blocks": ("benchmarks.compiled_blocks", "--data", "DATA"),
    "recomputation": ("benchmarks.recomputation",),
    "image_layout": ("benchmarks.image_layout",),
    "row_order": ("benchmarks.row_order", "--data", "DATA", "--seeds", "5"),
    "packing": ("benchmarks.packing", "--data", "DATA/alpaca_demo", "--batch-size", "4"),
    "ssf_overhead": ("benchmarks.ssf_overhead",),
    "exports": ("benchmarks.exports", "--data", "DATA"),
    "export_matrix": ("benchmarks.export_matrix", "--data", "DATA"),
    "gguf_export": ("benchmarks.gguf_export",),
    "half_precision": ("benchmarks.half_precision",),
    "quantized_bytes": ("benchmarks.quantized_bytes",),
    "method_steps": ("benchmarks.method_steps",),
    "adapter_layers": ("benchmarks.adapter_layers",),
    "memory": ("benchmarks.memory", "--data", "DATA"),
    "growth": ("benchmarks.growth", "--data", "DATA"),
    "soup": ("benchmarks.soup", "--data", "DATA"),
    "settings that fit": ("benchmarks.tuning", "auto", "--data", "DATA"),
    "small data": ("benchmarks.small_data", "--data", "DATA", "--page", "docs/howto/small_data.md"),
    "settings by search": ("benchmarks.tuning", "tune", "--data", "DATA", "--budget", "10m"),
}
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
)


def command(name: str, data: Path) -> list[str]:
    """Return the arguments after `python -m`."""
    return [part.replace("DATA", str(data), 1) if part.startswith("DATA") else part for part in SUITE[name]]


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


def circumstances() -> dict[str, Any]:
    """Return commit and versions."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    installed = {found.name.lower(): found.version for found in distributions()}
    versions = {name: version for name, version in sorted(installed.items()) if name.startswith(_SHOWN)}
    return {"commit": commit.stdout.strip(), "python": sys.version.split()[0], "versions": versions}


def main() -> None:
    """Run the chosen benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--only", action="append", choices=list(SUITE), help="may be repeated; default: all")
    parser.add_argument("--list", action="store_true", help="print the commands and run nothing")
    parser.add_argument("--out", type=Path, default=PRINTED, help="the record; default: benchmarks/benchmarks.json")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page; default: docs/benchmarks.md")
    given = parser.parse_args()
    data = given.data.resolve()
    names = given.only or list(SUITE)
    if given.list:
        print("\n".join(f"{name}: python -m {shlex.join(command(name, given.data))}" for name in names))
        return
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        outcome = run(name, data)
        if outcome["exit_code"]:
            failed.append(name)
            continue
        known = json.loads(given.out.read_text(encoding="utf-8")) if given.out.is_file() else {}
        known[name] = {**outcome, **circumstances()}
        given.out.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        before = given.page.read_text(encoding="utf-8") if given.page.is_file() else ""
        given.page.write_text(with_table(before, known), encoding="utf-8")
    print(f"{len(names) - len(failed)} of {len(names)} ran" + (f"; failed: {', '.join(failed)}" if failed else ""))
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
