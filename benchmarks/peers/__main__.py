"""adapt compared with a plain script of the underlying libraries: equal losses and metrics, and the cost of adapt.

    python -m benchmarks.peers --data ../shared/data                    every job, five pairs each
    python -m benchmarks.peers --data ../shared/data --job ner --pairs 0    one pair, no ratio

Both sides run as whole processes with the same model, data, seed, phases, workers and threads, at the same time on one
core each, the cores swapped from pair to pair: so both meet the same changes of the machine's speed. With --in-turn one
runs after the other, each with the whole machine. The first pair warms the file system and the tokenized data of both,
and gives no ratio. For each job prints one JSON object: the greatest difference of any loss and metric (of values above
1 as a share), but not for jobs "by default", where each side takes the rows in its own order; and adapt over plain as
median, least and greatest over the pairs: samples a second of the training phase, seconds from the start of the process
to the end of the first training step, seconds of an evaluation, wall time of the process, of it what is not training
(imports, data, first evaluation, saving), and peak memory; samples a second and evaluation by processor time, too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.pairs import in_turn, losses_of, side_by_side, spread
from benchmarks.peers.jobs import JOBS, Job
from benchmarks.targets import with_targets
from benchmarks.watched import figures, noted


def difference(ours: dict[str, Any], our_losses: list[float], plain: dict[str, Any]) -> float:
    """Return the greatest difference of any loss or metric, relative for values above 1."""
    pairs: list[tuple[float, float]] = [*zip(our_losses, plain["losses"], strict=True)]
    for phase in ("before", "after"):
        pairs += [(ours["metrics"][phase][name], value) for name, value in plain[phase].items()]
    return max(abs(a - b) / max(1.0, abs(b)) for a, b in pairs)


def compared(job: Job, data_sets: Path, pairs: int, run_pair: Any) -> dict[str, Any]:
    """Run the pairs of one job."""
    data = (data_sets / job.data).resolve()
    ratios: dict[str, list[float]] = defaultdict(list)
    greatest = 0.0
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        env = {**os.environ, "HF_DATASETS_CACHE": f"{name}/cache", "TOKENIZERS_PARALLELISM": "false"}
        model = job.model(temporary / "base", data)
        for number in range(pairs + 1):
            folder = temporary / f"adapt-{number}"
            config = temporary / f"adapt-{number}.json"
            config.write_text(json.dumps(job.config(model, data, folder)), encoding="utf-8")
            settings = json.dumps(job.plain_settings())
            bare, module = temporary / f"plain-{number}", f"benchmarks.plain.{job.plain}"
            both = run_pair(
                noted("transformers", folder, "adapt_core", "run", str(config), "--json"),
                noted("transformers", bare, module, model, str(data), str(bare), settings),
                env,
                number,
            )
            (ours, our_seconds), (plain, plain_seconds) = both
            if job.equal:
                greatest = max(greatest, difference(ours, losses_of(folder), plain))
            if number:
                beside = our_seconds - ours["train_seconds"], plain_seconds - plain["train_seconds"]
                for figure, ratio in {
                    **figures(both, (folder, bare)),
                    "beside_training": beside[0] / beside[1],
                }.items():
                    ratios[figure].append(ratio)
            for finished in (folder, bare):
                shutil.rmtree(finished)
    return {
        "pairs": pairs,
        "losses_compared": len(plain["losses"]) if job.equal else 0,
        "greatest_difference": greatest if job.equal else None,
        "before": plain["before"],
        "after": plain["after"],
        "after_adapt": ours["metrics"]["after"],
        **{name: spread(values) for name, values in ratios.items()},
        "versions": ours["versions"],
    }


def main() -> None:
    """Run the chosen jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    parser.add_argument("--job", action="append", choices=list(JOBS), help="may be repeated; default: all")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--in-turn", action="store_true", help="one after the other, each with the whole machine")
    given = parser.parse_args()
    for name in given.job or JOBS:
        report = compared(JOBS[name], given.data, given.pairs, in_turn if given.in_turn else side_by_side)
        print(json.dumps(with_targets(f"peers: {name}", {"job": name, **report})), flush=True)


if __name__ == "__main__":
    main()
