"""Runs of one process and of several, for comparison."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import adapt_core
from adapt_core.result import RunResult

OF_SEVERAL = ("DDP", "FSDP", "num_processes", "use_cpu", "collective_timeout")


def alone(keys: dict[str, Any], folder: Path, **changes: Any) -> RunResult:
    """Run the same keys in this process, with the global batch of two."""
    plain = {key: value for key, value in keys.items() if key not in OF_SEVERAL}
    batch = {"BATCH_SIZE": 2 * keys["BATCH_SIZE"], "EVAL_BATCH_SIZE": keys["BATCH_SIZE"]}
    return adapt_core.run({**plain, **batch, "OUTPUT_DIR": str(folder), **changes})


def together(configs: list[dict[str, Any]], folder: Path, processes: int = 2) -> None:
    """Run configs one after another in the same processes; the tests read their OUTPUT_DIRs."""
    place = folder / f"configs-{processes}.json"
    place.write_text(json.dumps(configs), encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(
        [*torchrun, Path(__file__).with_name("consecutive_runs.py"), place], capture_output=True, text=True, check=False
    )
    (folder / f"together-{processes}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    print(done.stderr[-5000:])
