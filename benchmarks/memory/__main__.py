"""The table of estimated and real bytes.

    python -m benchmarks.memory --data ../shared/data [--only NAME]...    the hold-out (see hold_out.py)
    python -m benchmarks.memory --config CONFIG [--set KEY=VALUE]...      one config of your own

Weights, gradients and optimizer states are counted in a step of the run's own loop; activations are what autograd keeps
in its forward pass of the largest batch, with the chunked loss and the lean layers of the loop. On a GPU the sum is
compared with the allocator's peak too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from adapt_core import api
from adapt_core.distributed.devices import first_device
from adapt_core.nn.accelerators import accelerator
from benchmarks.memory.hold_out import hold_out
from benchmarks.memory.real_step import real_step

KINDS = ("weights", "gradients", "optimizer", "activations")
ONE_STEP = ("MAX_STEPS=1", "DO_EVAL=false")


def row(name: str, config: str | Mapping[str, Any], overrides: list[str]) -> str:
    """Return a line of the table: for each kind estimated / real bytes in MiB, and their ratio."""
    plan = api.check(config, overrides=overrides)
    foretold = api.estimate(plan).memory
    assert foretold is not None
    device = first_device(plan)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    real = real_step(api.check(config, overrides=[*overrides, *ONE_STEP]), device)
    cells = [_cell(getattr(foretold, kind) or 0, real[kind]) for kind in KINDS]
    if device != "cpu":
        cells.append(_cell(foretold.total, torch.cuda.max_memory_allocated()))
    return f"| {name} | " + " | ".join(cells) + " |"


def _cell(foretold: int, real: int) -> str:
    ratio = f"{foretold / real:.3f}" if real else "nothing held"
    return f"{_mebibytes(foretold)} / {_mebibytes(real)} ({ratio})"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.3g}" if count < 100 * 2**20 else f"{count / 2**20:.0f}"


def main() -> None:
    """Print the table as it is made."""
    parser = argparse.ArgumentParser()
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path)
    source.add_argument("--config")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--only", action="append", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = list(hold_out(given.data, Path(folder))) if given.data else [(given.config, given.config)]
        columns = KINDS if accelerator() is None else (*KINDS, "sum / max_memory_allocated")
        print(f"| MiB foretold / real (ratio) | {' | '.join(columns)} |")
        print("|---|" + "---|" * len(columns))
        for name, config in cases:
            if not given.only or name in given.only:
                print(row(name, config, [*given.overrides, f"OUTPUT_DIR={folder}/run"]), flush=True)


if __name__ == "__main__":
    main()
