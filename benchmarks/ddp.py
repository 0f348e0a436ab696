"""adapt's ddp launcher compared with torchrun of a hand-written Trainer script: cost of processes.

    python -m benchmarks.ddp --data ../shared/data/ag_news --pairs 5

Both sides run two processes on the CPU, in turn (A B A B ...), with the same model, data, seed, phases and threads.
Prints one JSON object: both sides' metrics, and the ratio plain / adapt of the seconds of the training phase and of the
whole command (above 1: adapt is faster), as median, least and greatest over the pairs, and of each pair.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.packaged_models import minilm
from benchmarks.pairs import adapt_command, in_turn, spread

ROOT = Path(__file__).parent.parent
PROCESSES = 2


def environment() -> dict[str, str]:
    """Return an environment that divides the cores equally on both sides."""
    threads = str(max(len(os.sched_getaffinity(0)) // PROCESSES, 1))
    return {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
    }


def main() -> None:
    """Run the pairs and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "examples" / "inbox")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--train", type=int, default=320, help="training rows")
    parser.add_argument("--eval", type=int, default=96, help="validation rows")
    given = parser.parse_args()
    settings = {"epochs": 1, "lr": 1e-4, "max_length": 128, "max_train": given.train, "max_eval": given.eval}
    ratios: dict[str, list[float]] = {"training": [], "command": []}
    sides: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        for pair in range(given.pairs):
            folder = Path(name)
            torchrun = [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--standalone",
                "--nproc_per_node",
                str(PROCESSES),
            ]
            arguments = [minilm(), str(given.data), str(folder / f"plain-{pair}"), json.dumps(settings)]
            own = folder / f"adapt-{pair}"
            keys = {
                "TASK": "text_classification",
                "MODEL_PATH": minilm(),
                "CUSTOM_DATASET_PATH": str(given.data),
                "OUTPUT_DIR": str(own),
                "EPOCHS": settings["epochs"],
                "LR": settings["lr"],
                "max_seq_length": settings["max_length"],
                "MAX_TRAIN_SAMPLES": given.train,
                "MAX_EVAL_SAMPLES": given.eval,
                "NUM_WORKERS": 0,
                "SAVE_METHOD": "save_pretrained",
                "DDP": True,
                "num_processes": PROCESSES,
                "use_cpu": True,
            }
            (ours, our_seconds), (plain, plain_seconds) = in_turn(
                adapt_command(keys, own),
                [*torchrun, "-m", "benchmarks.plain.text_classification", *arguments],
                environment(),
                pair,
            )
            ratios["training"].append(plain["train_seconds"] / ours["train_seconds"])
            ratios["command"].append(plain_seconds / our_seconds)
            sides = {
                "plain": {"after": plain["after"], "train_seconds": plain["train_seconds"]},
                "adapt": {"after": ours["metrics"]["after"], "train_seconds": ours["train_seconds"]},
            }
    comparison = {side: spread(values) for side, values in ratios.items()}
    print(json.dumps({"plain / adapt": comparison, "each pair": ratios, "last pair": sides}, indent=1))


if __name__ == "__main__":
    main()
