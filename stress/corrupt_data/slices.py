"""A small valid data set of each job, a slice of the real one, to be corrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.small_jobs import SmallJob
from stress.corrupt_data import annotations, class_folders, tables
from stress.corrupt_data.corruption import Corruption

_ROWS = {"train": 12, "validation": 6}
_TARGETS = {
    "text_generation": "text",
    "text_classification": "label",
    "ner": "ner_tags",
    "pos": "pos_tags",
    "chunk": "chunk_tags",
    "summarization": "summary",
    "translation": "translation",
    "question_answering": "answers",
}
_ANNOTATED = ("object_detection", "instance_segmentation", "pose_detection")
_FILES = {
    "TRAIN_DIR": "images",
    "VAL_DIR": "images",
    "train_ann_file": annotations.TRAIN,
    "val_ann_file": "val.json",
}


def cut_out(job: SmallJob, source: Path, folder: Path) -> tuple[dict[str, Any], list[Corruption]]:
    """Write the small data set of a job into a folder.

    Args:
        job: the job.
        source: its real data set.
        folder: must not exist.

    Returns:
        the keys that its config needs besides, and every corruption of it.
    """
    folder.mkdir(parents=True)
    if job.name in _TARGETS:
        train, validation = (tables.read(source / f"{split}.jsonl") for split in _ROWS)
        train = train[: _ROWS["train"]]
        if job.name == "text_classification":
            known = {row["label"] for row in train}
            validation = [row for row in validation if row["label"] in known]
        tables.write(folder / "train.jsonl", train)
        tables.write(folder / "validation.jsonl", validation[: _ROWS["validation"]])
        [example, *_] = train
        return {}, list(tables.corruptions(example, _TARGETS[job.name]))
    if job.name in _ANNOTATED:
        _annotated(job, source, folder)
        return _FILES, list(annotations.corruptions(job.name))
    for split, count in (("train", 4), ("val", 2)):
        for name in ("ants", "bees"):
            (folder / split / name).mkdir(parents=True)
            for file in sorted((source / split / name).iterdir())[:count]:
                shutil.copy(file, folder / split / name)
    return {}, list(class_folders.corruptions())


def _annotated(job: SmallJob, source: Path, folder: Path) -> None:
    (folder / "images").mkdir()
    for split, key, images in (("train", "train_ann_file", "TRAIN_DIR"), ("val", "val_ann_file", "VAL_DIR")):
        data = json.loads((source / job.keys[key]).read_text(encoding="utf-8"))
        annotated = {annotation["image_id"] for annotation in data["annotations"]}
        data["images"] = [image for image in data["images"] if image["id"] in annotated][:4]
        kept = {image["id"] for image in data["images"]}
        data["annotations"] = [found for found in data["annotations"] if found["image_id"] in kept]
        for image in data["images"]:
            shutil.copy(source / job.keys[images] / image["file_name"], folder / "images")
        (folder / f"{split}.json").write_text(json.dumps(data), encoding="utf-8")
