"""last_layer with its frozen part computed once, against the same run that computes it at every step.

    python -m benchmarks.frozen_part time --data ../shared/data --pairs 5
    python -m benchmarks.frozen_part time --data ../shared/data --pairs 5 --over before
    python -m benchmarks.frozen_part views --data ../shared/data --seeds 5

`time` runs MiniLM on ag_news and EfficientNet-Lite0 on hymenoptera (without augmentation: augmented images are new in
each epoch) for 5 and 10 epochs, both sides side by side on one core each, as whole processes from an empty cache, and
prints the ratios of their wall and processor times, the targets and the greatest difference of their losses. With
`--over before` the other side is what adapt was when the targets were set: it multiplies by torch's own products and
takes rows at random, too, so its losses are others. `views` trains the head of EfficientNet-Lite0 on 1, 2, 4, ...
augmented views of each image (AUGMENTED_VIEWS) and on a new one in every epoch, and prints mean and standard deviation
of the accuracy over seeds, and the seconds of the runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.image_classification import PACKAGE, WEIGHTS
from benchmarks.packaged_models import minilm
from benchmarks.pairs import Running, adapt_command, losses_of, side_by_side, spread
from benchmarks.targets import with_targets

ROOT = Path(__file__).parent.parent
IMAGES = "EfficientNet-Lite0, hymenoptera"
COMMON = {"method": "last_layer", "LR": 1e-2, "NUM_WORKERS": 0, "LOGGING_STEPS": 1, "SAVE_METHOD": "safetensors"}
OTHERS: dict[str, dict[str, Any]] = {
    "uncached": {"FROZEN_CACHE_GB": 0},
    "before": {"FROZEN_CACHE_GB": 0, "FAST_PRODUCTS": False, "GROUP_BY_LENGTH": False},
}
"""What the other side's config has."""
JOBS: dict[str, dict[str, Any]] = {
    "MiniLM, ag_news": {
        "TASK": "text_classification",
        "CUSTOM_DATASET_PATH": "ag_news",
    },
    IMAGES: {
        "TASK": "image_classification",
        "CUSTOM_DATASET_PATH": "hymenoptera",
        "MODEL_PATH": "tf_efficientnet_lite0",
        "LOCAL_MODEL_PATH": f"package:{PACKAGE}/{WEIGHTS}",
        "load_by_order": True,
    },
}


def command(job: str, data: Path, folder: Path, **changes: Any) -> list[str]:
    """Write the config of a run with a cache of its own and return its command."""
    keys = {**COMMON, **JOBS[job], "OUTPUT_DIR": str(folder), **changes}
    keys["CUSTOM_DATASET_PATH"] = str(data / JOBS[job]["CUSTOM_DATASET_PATH"])
    keys.setdefault("MODEL_PATH", minilm())
    run = ["env", f"HF_DATASETS_CACHE={folder}-cache", *adapt_command(keys, folder)]
    return ["sh", "-c", '"$@"; code=$?; times > "$0"; exit $code', str(folder.with_suffix(".times")), *run]


def processor_seconds(folder: Path) -> float:
    """Return user and system time of a command, which the shell's `times` wrote: its second line is of children."""
    _, children = folder.with_suffix(".times").read_text(encoding="utf-8").splitlines()
    parts = (part.removesuffix("s").split("m") for part in children.split())
    return sum(60 * float(minutes) + float(seconds) for minutes, seconds in parts)


def time_of(arguments: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Return the ratios for each job and number of epochs."""
    found: dict[str, Any] = {}
    for job in arguments.job or JOBS:
        other = dict(OTHERS[arguments.over])
        if job == IMAGES:
            other.pop("GROUP_BY_LENGTH", None)
        still = {"augmentation": False} if job == IMAGES else {}
        for epochs in arguments.of_epochs:
            ratios, processor, differences = [], [], []
            for number in range(arguments.pairs):
                folders = [temporary / f"{side}-{len(found)}-{number}" for side in ("once", "always")]
                once = command(job, arguments.data, folders[0], EPOCHS=epochs, **still)
                always = command(job, arguments.data, folders[1], EPOCHS=epochs, **still, **other)
                (_, ours), (_, theirs) = side_by_side(once, always, dict(os.environ), number)
                ratios.append(ours / theirs)
                processor.append(processor_seconds(folders[0]) / processor_seconds(folders[1]))
                pairs = zip(losses_of(folders[0]), losses_of(folders[1]), strict=True)
                differences.append(max(abs(one - two) for one, two in pairs))
            equal = {"greatest_difference": max(differences)} if arguments.over == "uncached" else {}
            found[f"{job}, {epochs} epochs"] = {"wall": spread(ratios), "processor": spread(processor), **equal}
            print(json.dumps(found), file=sys.stderr)
    return {"over": arguments.over, "pairs": arguments.pairs, **found}


def views_of(arguments: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Return the accuracy for each number of views."""
    found = {}
    for views in [*arguments.views, 0]:
        scores, seconds = [], []
        for seed in range(arguments.seeds):
            changes = {"AUGMENTED_VIEWS": views} if views else {"FROZEN_CACHE_GB": 0}
            run = command(
                IMAGES,
                arguments.data,
                temporary / f"views-{views}-{seed}",
                EPOCHS=arguments.epochs,
                SEED=seed,
                LOGGING_STEPS=100,
                **changes,
            )
            result, wall = Running(run, dict(os.environ)).outcome()
            scores.append(result["metrics"]["after"]["accuracy"])
            seconds.append(wall)
        found[str(views) if views else "a new one each epoch"] = {
            "accuracy": round(statistics.mean(scores), 4),
            "deviation": round(statistics.stdev(scores), 4),
            "seconds": round(statistics.median(seconds), 1),
        }
        print(json.dumps(found), file=sys.stderr)
    return {"epochs": arguments.epochs, "seeds": arguments.seeds, "views": found}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["time", "views"])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--over", choices=list(OTHERS), default="uncached", help="of time: the other side")
    parser.add_argument("--job", action="append", choices=list(JOBS), help="of time: may be repeated; default: both")
    parser.add_argument("--of-epochs", type=int, nargs="+", default=[5, 10], help="of time")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--views", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    arguments.data = arguments.data.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        found = (time_of if arguments.what == "time" else views_of)(arguments, Path(temporary))
    name = "frozen part, time over before" if arguments.over == "before" else f"frozen part, {arguments.what}"
    print(json.dumps(with_targets(name, found), indent=2))


if __name__ == "__main__":
    main()
