"""Full fine-tuning of SmolLM2 with less: steps inside the backward pass, and smaller optimizers.

    python -m benchmarks.full_tuning --data ../shared/data/tinyshakespeare [--batch 2] [--length 128] [--pairs 1]

Gradients come while activations go, so what the first saves shows where activations are fewer than gradients: in small
batches, or recomputed (--recompute).

Each way of training is compared with AdamW and an ordinary step (`MAX_GRAD_NORM: 0`, `STEP_IN_BACKWARD: false`). Both
sides of a pair run at the same time as whole processes of adapt, with one thread on one core each, and swap cores from
pair to pair. Prints a JSON object for each: the ratios of the processor time of a step (the median of a run's) and of
the peak memory of the process as median, least and greatest over the pairs, the peaks of the last pair, and the losses
of its steps.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.learned_tokens import costs, our_config, watched_command, watched_env
from benchmarks.pairs import losses_of, side_by_side, spread
from benchmarks.peers.jobs import converted_smollm2

ORDINARY = {"OPTIMIZER": "adamw_torch", "STEP_IN_BACKWARD": False}
WAYS: dict[str, dict[str, Any]] = {
    "AdamW, in the backward pass": {"OPTIMIZER": "adamw_torch"},
    "8-bit AdamW": {"OPTIMIZER": "adamw_8bit", "STEP_IN_BACKWARD": False},
    "8-bit AdamW, in the backward pass": {"OPTIMIZER": "adamw_8bit"},
    "8-bit Lion, in the backward pass": {"OPTIMIZER": "lion_8bit", "LR": 5e-6},
    "Adafactor, in the backward pass": {"OPTIMIZER": "adafactor"},
}


def command(keys: dict[str, Any], model: str, given: argparse.Namespace, folder: Path) -> list[str]:
    """Write the config of a run beside its folder, and return the command that runs it and notes its costs."""
    config = our_config("full", model, given.data, folder, given.steps)
    config |= {"BATCH_SIZE": given.batch, "max_seq_length": given.length, "MAX_GRAD_NORM": 0, **keys}
    return watched_command({**config, "GRADIENT_CHECKPOINTING": given.recompute}, folder)


def compared(way: str, model: str, given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run the pairs of a way of training."""
    env = watched_env(work)
    seconds, memory, found = [], [], {}
    for number in range(given.pairs):
        folders = [work / f"{side}-{way}-{number}".replace(" ", "-") for side in ("changed", "ordinary")]
        sides = zip((WAYS[way], ORDINARY), folders, strict=True)
        changed, ordinary = (command(keys, model, given, folder) for keys, folder in sides)
        side_by_side(changed, ordinary, env, number)
        (my_seconds, my_bytes), (their_seconds, their_bytes) = (costs(folder) for folder in folders)
        seconds.append(my_seconds / their_seconds)
        memory.append(my_bytes / their_bytes)
        found = {
            "mebibytes": [round(my_bytes / 2**20), round(their_bytes / 2**20)],
            "losses": [losses_of(folder) for folder in folders],
        }
    return {"way": way, "processor_time_of_a_step": spread(seconds), "peak_memory": spread(memory), **found}


def main() -> None:
    """Run the chosen ways of training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of texts")
    parser.add_argument("--way", action="append", choices=list(WAYS), help="may be repeated; default: all")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--recompute", action="store_true", help="with GRADIENT_CHECKPOINTING")
    given = parser.parse_args()
    given.data = given.data.resolve()
    with tempfile.TemporaryDirectory() as work:
        model = converted_smollm2(Path(work) / "base", given.data)
        for way in given.way or WAYS:
            print(json.dumps(compared(way, model, given, Path(work))), flush=True)


if __name__ == "__main__":
    main()
