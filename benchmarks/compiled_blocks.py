"""COMPILE: processor time of a training step and peak memory, over the same run without it.

    python -m benchmarks.compiled_blocks --data ../shared/data [--job JOB] [--pairs 5]

MiniLM classifies news (every parameter trains, 16 rows), and SmolLM2 learns texts by LoRA (2 packs of 256 tokens, all
of them learned). Both sides of a pair run at the same time as whole processes, with one thread on one core each, and
swap cores from pair to pair; the first pair warms the compiler's cache. Prints a JSON object for each job: the ratios
of the processor time of a step (the median of a run's) and of the peak memory as median, least and greatest over the
pairs, the seconds by which the first pair's whole process is longer than the same one without compiling, and the
greatest relative difference of a loss.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.learned_tokens import costs, our_config, watched_command, watched_env
from benchmarks.packaged_models import minilm
from benchmarks.pairs import losses_of, side_by_side, spread
from benchmarks.peers.jobs import converted_smollm2

ROOT = Path(__file__).parent.parent
CLASSES = "MiniLM, classes"
TEXTS = "SmolLM2, LoRA"


def config(job: str, base: Path, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the config of a job without COMPILE."""
    if job == TEXTS:
        model, data = converted_smollm2(base, given.data), given.data / "tinyshakespeare"
        small = {"BATCH_SIZE": 2, "max_seq_length": 256}
        return {**our_config("LoRA", model, data, folder, given.steps), **small}
    return {
        "TASK": "text_classification",
        "MODEL_PATH": minilm(),
        "CUSTOM_DATASET_PATH": str(given.data / "ag_news"),
        "OUTPUT_DIR": str(folder),
        "MAX_TRAIN_SAMPLES": 640,
        "MAX_STEPS": given.steps,
        "LOGGING_STEPS": 1,
        "NUM_WORKERS": 0,
        "INTERVAL": "no",
        "DO_EVAL": False,
    }


def compared(job: str, given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run the pairs of a job."""
    seconds, memory, differences, longer = [], [], [], 0.0
    env = {**watched_env(work), "TORCHINDUCTOR_CACHE_DIR": str(work / "compiled")}
    for number in range(given.pairs + 1):
        folders = [work / f"{side}-{number}" for side in ("compiled", "plain")]
        sides = [config(job, work / "base", given, folder) for folder in folders]
        sides[0]["COMPILE"] = True
        commands = [watched_command(keys, folder) for keys, folder in zip(sides, folders, strict=True)]
        (result, ours), (_, theirs) = side_by_side(commands[0], commands[1], env, number)
        if any("COMPILE" in warning for warning in result["warnings"]):
            raise SystemExit(f"{job}: {result['warnings']}")
        losses = zip(*map(losses_of, folders), strict=True)
        differences.append(max(abs(one - other) / abs(other) for one, other in losses))
        if not number:
            longer = ours - theirs
            continue
        (my_seconds, my_bytes), (their_seconds, their_bytes) = map(costs, folders)
        seconds.append(my_seconds / their_seconds)
        memory.append(my_bytes / their_bytes)
    return {
        "job": job,
        "pairs": given.pairs,
        "processor_time_of_a_step": spread(seconds),
        "peak_memory": spread(memory),
        "seconds_to_compile_first": round(longer, 1),
        "greatest_difference_of_losses": max(differences),
    }


def main() -> None:
    """Run the chosen jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--job", action="append", choices=[CLASSES, TEXTS], help="may be repeated; default: both")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    given = parser.parse_args()
    given.data = given.data.resolve()
    for job in given.job or (CLASSES, TEXTS):
        with tempfile.TemporaryDirectory() as work:
            print(json.dumps(compared(job, given, Path(work))), flush=True)


if __name__ == "__main__":
    main()
