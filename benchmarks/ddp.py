"""adapt's launchers ddp and fsdp compared with torchrun of a hand-written Trainer script: cost of processes.

    python -m benchmarks.ddp --data ../shared/data/ag_news --pairs 5 --page docs/benchmarks.md

Both sides run two processes on the CPU, in turn (A B B A ...), with the same model, data, seed, phases and threads;
under fsdp the script shards by accelerate's own FSDP (version 2). Prints one JSON object: for each launcher both
sides' metrics, and the ratio plain / adapt of the seconds of the training phase and of the whole command (above 1:
adapt is faster), as median, least and greatest over the pairs, and of each pair. Writes the table of a page (--page).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import minilm
from benchmarks.page import with_marked
from benchmarks.pairs import Running, adapt_command, spread
from benchmarks.targets import with_targets

ROOT = Path(__file__).parent.parent
PROCESSES = 2
MARK = "pairs of benchmarks.ddp"
SWITCHES = {"ddp": {"DDP": True}, "fsdp": {"FSDP": True}}
LAYERS = {"ddp": [], "fsdp": ["BertLayer"]}


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


def compared(launcher: str, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the pairs of a launcher, and return the ratios and what the last pair reached."""
    settings = {"epochs": 1, "lr": 1e-4, "max_length": 128, "max_train": given.train, "max_eval": given.eval}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(PROCESSES)]
    ratios: dict[str, list[float]] = {"training": [], "command": []}
    sides: dict[str, object] = {}
    for pair in range(given.pairs):
        script = json.dumps({**settings, "sharded_layers": LAYERS[launcher]})
        arguments = [minilm(), str(given.data), str(folder / f"plain-{launcher}-{pair}"), script]
        own = folder / f"adapt-{launcher}-{pair}"
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
            "num_processes": PROCESSES,
            "use_cpu": True,
            **SWITCHES[launcher],
        }
        commands = {
            "adapt": adapt_command(keys, own),
            "plain": [*torchrun, "-m", "benchmarks.plain.text_classification", *arguments],
        }
        order = list(commands) if pair % 2 == 0 else list(commands)[::-1]  # what warms up meets both
        outcomes = {side: Running(commands[side], environment()).outcome() for side in order}
        (ours, our_seconds), (plain, plain_seconds) = outcomes["adapt"], outcomes["plain"]
        ratios["training"].append(plain["train_seconds"] / ours["train_seconds"])
        ratios["command"].append(plain_seconds / our_seconds)
        print(f"{launcher}, pair {pair + 1}: training {ratios['training'][-1]:.3f}", file=sys.stderr, flush=True)
        sides = {
            "plain": {"after": plain["after"], "train_seconds": plain["train_seconds"]},
            "adapt": {"after": ours["metrics"]["after"], "train_seconds": ours["train_seconds"]},
        }
    comparison = {side: spread(values) for side, values in ratios.items()}
    return {"plain / adapt": comparison, "each pair": ratios, "last pair": sides}


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return the lines of the page's table."""
    lines = ["", "| launcher | pairs | training phase | whole command |", "|---|---:|---:|---:|"]
    for launcher, figures in found.items():
        ratios = [figures["plain / adapt"][side] for side in ("training", "command")]
        cells = [f"{ratio['median']:.3f} ({ratio['least']:.3f} to {ratio['most']:.3f})" for ratio in ratios]
        lines.append(f"| {launcher} | {len(figures['each pair']['training'])} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Run the pairs and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "examples" / "inbox")
    parser.add_argument("--launcher", choices=tuple(SWITCHES), help="one alone")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--train", type=int, default=320, help="training rows")
    parser.add_argument("--eval", type=int, default=96, help="validation rows")
    parser.add_argument("--page", type=Path, help="docs/benchmarks.md, for its table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        launchers = [given.launcher] if given.launcher else list(SWITCHES)
        found = {launcher: compared(launcher, given, Path(name)) for launcher in launchers}
    if given.page is not None:
        page = with_marked(given.page.read_text(encoding="utf-8"), MARK, table(found))
        given.page.write_text(page, encoding="utf-8")
    print(json.dumps(with_targets("ddp", {"pairs": given.pairs, **found}), indent=1))


if __name__ == "__main__":
    main()
