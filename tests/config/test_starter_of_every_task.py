"""adapt init for every task, variant and method that is installed: what it writes passes `adapt run --dry-run`."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import check
from adapt_core.config.starter import starter_config
from adapt_core.plugin.registry import Registry

REGISTRY = Registry.discover()
TEXT = {"text": "a", "document": "a", "summary": "b", "label": "x", "tokens": ["a"], "ner_tags": ["O"]}
ROW = {**TEXT, "pos_tags": ["X"], "chunk_tags": ["O"], "context": "a b", "question": "c", "answers": {}}
ROW |= {"translation": {"en": "a", "ro": "b"}}
DETECTOR = {
    "object_detection": "rtmdet_tiny_8xb32-300e_coco",
    "instance_segmentation": "rtmdet-ins_tiny_8xb32-300e_coco",
    "pose_detection": "rtmpose-t_8xb256-420e_coco-256x192",
}
VARIANTS = {"text_classification": ("", "subtask=ner", "subtask=pos", "subtask=chunk")}
NEEDS = {"peft": ["peft_name=ia3"]}
"""What a method does not run without."""


def cases() -> Iterator[tuple[str, str, str]]:
    """Task, variant ("key=value" or nothing) and method."""
    for task in REGISTRY.tasks:
        for variant in VARIANTS.get(task.spec.name, ("",)):
            for method in REGISTRY.methods:
                yield task.spec.name, variant, method.spec.name


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What stands for a model and data of the language tasks: checks before torch look no deeper."""
    model, data = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("text")
    (model / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    for name in ("model.safetensors", "tokenizer.json"):
        (model / name).write_bytes(b"{}")
    for split in ("train", "validation"):
        (data / f"{split}.jsonl").write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    return [f"MODEL_PATH={model}", f"CUSTOM_DATASET_PATH={data}"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for split in ("train", "val"):
        for name in ("cats", "dogs"):
            (folder / split / name).mkdir(parents=True)
            (folder / split / name / "1.png").write_bytes(png(8, 8))
    return folder


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with a box, a mask and points, in COCO JSON."""
    folder = tmp_path_factory.mktemp("annotated")
    (folder / "1.png").write_bytes(png(32, 32))
    outline = {"bbox": [2, 2, 9, 9], "area": 81, "iscrowd": 0, "segmentation": [[2, 2, 11, 2, 11, 11]]}
    thing = {"id": 1, "image_id": 1, "category_id": 1, **outline, "keypoints": [3, 3, 2], "num_keypoints": 1}
    data: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "1.png", "width": 32, "height": 32}],
        "annotations": [thing],
        "categories": [{"id": 1, "name": "thing", "keypoints": ["middle"], "skeleton": []}],
    }
    for name in ("train.json", "val.json"):
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("task", "variant", "method"), list(cases()))
def test_what_init_writes_passes_the_checks_of_a_dry_run(
    task: str, variant: str, method: str, text: list[str], pictures: Path, annotated: Path, tmp_path: Path
) -> None:
    overrides = [*([variant] if variant else []), *NEEDS.get(method, []), f"OUTPUT_DIR={tmp_path / 'run'}"]
    if task in DETECTOR:
        pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
        files = ["train_ann_file=train.json", "val_ann_file=val.json"]
        overrides += [f"MODEL_PATH={DETECTOR[task]}", f"CUSTOM_DATASET_PATH={annotated}", *files]
    elif task == "image_classification":
        overrides += ["MODEL_PATH=resnet10t", f"CUSTOM_DATASET_PATH={pictures}"]
    else:
        overrides += text
    file = tmp_path / "c.yaml"
    file.write_text(starter_config(task, method, overrides, REGISTRY), encoding="utf-8")
    plan = check(file, strict=True)
    assert (plan.task.name, plan.method.name) == (task, method)
    assert plan.output_dir == str(tmp_path / "run")
