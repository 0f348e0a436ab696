"""What KEEP: soup gains over KEEP: best, on rows that neither has chosen by: six real sets, real pretrained models.

    python -m benchmarks.soup --data ../shared/data [--only ag_news] [--steps 24] [--method full] [--seeds 1]

The sets have no test split: half of validation, drawn by a fixed seed, becomes one. Each set is trained with the
settings that fit (SETTINGS: auto) and evaluated eight times; the best checkpoint and the soup of the best five are
measured on both halves. Prints a JSON line for each set and seed: the deciding metric (as a share of 1) and the gain;
then the mean gains.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tuning import SETS, config

_CHECKPOINTS = 8
_MOST = {"validation": 200, "test": 400}
"""Rows of each half, at most."""


def halved(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """Copy a set with half of its validation split as its test split; return the keys that name it."""
    place = folder / "data"
    shutil.copytree(data / name, place)
    if name == "hymenoptera":
        for label in sorted((place / "val").iterdir()):
            for path in _halves(sorted(label.iterdir()))["test"]:
                (place / "test" / label.name).mkdir(parents=True, exist_ok=True)
                path.rename(place / "test" / label.name / path.name)
        return {"CUSTOM_DATASET_PATH": str(place)}
    if name == "bccd_coco":
        _halve_annotations(place)
        return {
            "CUSTOM_DATASET_PATH": str(place),
            "TEST_DIR": "val",
            "test_ann_file": "annotations/instances_test.json",
        }
    _halve_rows(next(place.glob("validation.*")))
    return {"CUSTOM_DATASET_PATH": str(place)}


def _halve_rows(file: Path) -> None:
    head, *rows = file.read_text(encoding="utf-8").splitlines()
    if file.suffix != ".csv":
        head, rows = "", [head, *rows]
    for split, taken in _halves(rows).items():
        lines = [*([head] if head else []), *taken[: _MOST[split]]]
        file.with_stem(split).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _halve_annotations(place: Path) -> None:
    file = place / "annotations" / "instances_val.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    for split, images in _halves(content["images"]).items():
        named = {image["id"] for image in images}
        marks = [mark for mark in content["annotations"] if mark["image_id"] in named]
        own = file if split == "validation" else file.with_name("instances_test.json")
        own.write_text(json.dumps({**content, "images": images, "annotations": marks}), encoding="utf-8")


def _halves(items: list[Any]) -> dict[str, list[Any]]:
    drawn = random.Random(0).sample(items, len(items))
    return {"validation": drawn[: len(items) // 2], "test": drawn[len(items) // 2 :]}


def measure(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the best checkpoint of a run and its soup reach on validation and test."""
    import adapt_core
    from adapt_core.hf.loop.soup import TrainerSoup

    from adapt_vision_mm.openmmlab.kept_weights import KeptWeights

    alone: dict[str, float] = {}
    with pytest.MonkeyPatch.context() as patched:
        for kept in (TrainerSoup, KeptWeights):
            patched.setattr(kept, "put_in", _measuring_the_best_first(kept.put_in, alone))
        result = adapt_core.run(dict(keys))
    soup, after, test = result.soup, result.metrics["after"], result.metrics["test"]
    assert soup is not None
    assert after is not None
    assert test is not None
    whole = 100.0 if soup["value"] > 1 else 1.0
    found: dict[str, Any] = {"metric": soup["metric"], "averaged": soup["steps"]}
    pairs = {
        "validation": (soup["tried"][0]["alone"], after[soup["metric"]]),
        "test": (alone[soup["metric"]], test[soup["metric"]]),
    }
    for split, (best, of_soup) in pairs.items():
        gain = round((of_soup - best) / whole, 4)
        found[split] = {"best": round(best / whole, 4), "soup": round(of_soup / whole, 4), "gain": gain}
    return found


def _measuring_the_best_first(put_in: Callable[[Any], Any], found: dict[str, float]) -> Callable[[Any], Any]:
    def measured(self: Any) -> Any:
        self.load(self.ranking.best()[0].step)
        found.update(self.evaluate(self.job.data.test))
        return put_in(self)

    return measured


def main() -> None:
    """Print a JSON line for each set and seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--only", choices=SETS, action="append")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--method", default="full")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    gains: dict[str, list[float]] = {"validation": [], "test": []}
    for name in arguments.only or SETS:
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                keys = {
                    **halved(name, arguments.data.resolve(), folder),
                    "method": arguments.method,
                    "SETTINGS": "auto",
                    "KEEP": "soup",
                    "BATCH_SIZE": 16,
                    "MAX_STEPS": arguments.steps,
                    "INTERVAL": "steps",
                    "INTERVAL_STEPS": max(1, arguments.steps // _CHECKPOINTS),
                    "NO_OF_CHECKPOINTS": 5,
                    "EVALUATE_BEFORE": False,
                    "SEED": 42 + seed,
                }
                started = time.process_time()
                found = measure(json.loads(config(name, folder, folder, **keys).read_text()))
                found["seconds of CPU"] = round(time.process_time() - started)
            print(json.dumps({"set": name, "seed": 42 + seed, **found}), flush=True)
            for split, held in gains.items():
                held.append(found[split]["gain"])
    print(json.dumps({f"mean gain on {split}": round(sum(held) / len(held), 4) for split, held in gains.items()}))


if __name__ == "__main__":
    main()
