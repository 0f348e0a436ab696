"""Finished runs, small and real, that are copied and made hostile."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from benchmarks.small_jobs import SMALL_RTMDET

ROOT = Path(__file__).parents[2]

_RUN: dict[str, Any] = {
    "BATCH_SIZE": 4,
    "MAX_STEPS": 2,
    "INTERVAL": "steps",
    "INTERVAL_STEPS": 1,
    "NO_OF_CHECKPOINTS": 3,
    "NUM_WORKERS": 0,
    "DO_EVAL": False,
}


@attrs.frozen
class Subject:
    """A finished run.

    Attributes:
        run: its folder, with `checkpoints/checkpoint-1` and `-2`.
        keys: its config.
        inputs: what it predicts on.
    """

    run: Path
    keys: dict[str, Any]
    inputs: list[str]


def _texts(work: Path) -> list[str]:
    rows = [{"text": f"a message about {word}", "label": word} for word in ("books", "rooms") for _ in range(8)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (work / "data").mkdir()
    for name in ("train", "validation"):
        (work / "data" / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return [str(row["text"]) for row in rows]


def _finished(work: Path, keys: dict[str, Any], inputs: list[str]) -> Subject:
    import adapt_core

    keys = {**_RUN, **keys, "CUSTOM_DATASET_PATH": str(work / "data"), "OUTPUT_DIR": str(work / "run")}
    adapt_core.run(keys)
    return Subject(work / "run", keys, inputs)


def text(work: Path) -> Subject:
    """Fine-tune a small BERT, saved by save_pretrained."""
    from adapt_core.testing import small_models

    texts = _texts(work)
    base = small_models.bert(work / "base", texts)
    keys = {"TASK": "text_classification", "MODEL_PATH": str(base), "SAVE_METHOD": "save_pretrained"}
    return _finished(work, keys, texts[:1])


def adapter(work: Path) -> Subject:
    """Train LoRA on a small BERT, unmerged: predictions need the base."""
    from adapt_core.testing import small_models

    texts = _texts(work)
    base = small_models.bert(work / "base", texts)
    keys = {"TASK": "text_classification", "MODEL_PATH": str(base), "method": "LoRA", "MERGE_ADAPTER": False}
    return _finished(work, keys, texts[:1])


def detector(work: Path) -> Subject:
    """Train a small RTMDet on four grey images."""
    from PIL import Image

    (work / "data").mkdir()
    images, boxes = [], []
    for number in range(1, 5):
        Image.new("RGB", (64, 64), (60 * number, 60, 60)).save(work / "data" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 64})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [9, 9, 30, 30]})
        boxes[-1] |= {"area": 900, "iscrowd": 0}
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "square"}]}
    for name in ("train", "val"):
        (work / "data" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    keys = {
        "TASK": "object_detection",
        "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
        "cfg_options": SMALL_RTMDET,
        "image_size": 64,
        "SAVE_METHOD": "state_dict",
    }
    return _finished(work, keys, [str(work / "data" / "1.png")])


SUBJECTS: dict[str, tuple[Callable[[Path], Subject], tuple[str, ...]]] = {
    "text": (text, ("adapt_nlp",)),
    "adapter": (adapter, ("adapt_nlp", "adapt_peft_ssf")),
    "detector": (detector, ("adapt_vision_mm", "mmdet")),
}
"""Name -> what makes it, and the packages that it needs."""


def is_available(name: str) -> bool:
    """Return whether the packages of a subject are installed."""
    return all(find_spec(package) is not None for package in SUBJECTS[name][1])
