"""Cost of `adapt check` and of a run's report.

    python -m benchmarks.check_and_report [--pairs 5]

Prints one JSON object, on the packaged MiniLM and the inbox:

- check: wall time of `adapt check` over that of importing torch, transformers and datasets, which it cannot do without;
  interleaved pairs.
- report: seconds of writing `report.html`, and their share of a run of one epoch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import adapt_core
from adapt_core.execution import pipeline
from benchmarks.pairs import spread

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "examples" / "inbox.yaml"
CHECK = [sys.executable, "-m", "adapt_core", "check", str(CONFIG)]
IMPORTS = [sys.executable, "-c", "import torch, transformers, datasets; from transformers import Trainer"]


def seconds(command: list[str]) -> float:
    """Return the wall time of a command, run in the repository's root."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def report() -> dict[str, float]:
    """Return the time that writing the report of a run takes."""
    spent = 0.0
    write = pipeline.report_run

    def timed(*arguments: Any) -> Any:
        nonlocal spent
        start = time.perf_counter()
        written = write(*arguments)
        spent += time.perf_counter() - start
        return written

    pipeline.report_run = timed
    with tempfile.TemporaryDirectory() as folder:
        changes = ["EPOCHS=1", f"OUTPUT_DIR={folder}/run", f"CUSTOM_DATASET_PATH={ROOT}/examples/inbox"]
        start = time.perf_counter()
        adapt_core.run(CONFIG, overrides=changes)
        whole = time.perf_counter() - start
    return {"seconds": round(spent, 3), "share_of_the_run": round(spent / whole, 4)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    seconds(CHECK), seconds(IMPORTS)
    check = spread([seconds(CHECK) / seconds(IMPORTS) for _ in range(given.pairs)])
    print(json.dumps({"check over imports": check, "report": report()}, indent=2))


if __name__ == "__main__":
    main()
