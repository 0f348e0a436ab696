"""Small jobs of several tasks, with models made here: `in_two_processes`, and what differs from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import small_models

Keys = dict[str, Any]


def in_two_processes(tiny_encoder: Path, inbox: Path, folder: Path) -> Keys:
    """text_classification under DDP with two processes: 64 rows in global batches of 16, plain SGD, no dropout.

    The 37 evaluated rows make no whole number of batches: the last batch of one rank is short, the other's is missing.
    """
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(folder / "run"),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 37,
        "EPOCHS": 2,
        "LR": 0.05,
        "OPTIMIZER": "sgd",
        "NUM_WORKERS": 0,
        "BATCH_SIZE": 8,
        "LOGGING_STEPS": 1,
        "SAVE_METHOD": "safetensors",
        "DDP": True,
        "num_processes": 2,
        "use_cpu": True,
        "collective_timeout": 120,
    }


def text_classification(folder: Path, inbox: Path) -> Keys:
    """Nothing differs."""
    return {}


def several_labels(folder: Path, inbox: Path) -> Keys:
    """Each text with its label, and with a second one where it asks something."""
    for name in ("train", "validation"):
        rows = [json.loads(line) for line in (inbox / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        every = [{**row, "label": [row["label"], *(["question"] if "?" in row["text"] else [])]} for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in every), encoding="utf-8")
    return {"CUSTOM_DATASET_PATH": str(folder)}


def text_generation(folder: Path, inbox: Path) -> Keys:
    """A Llama of 2 layers, 32 wide, untied, on unpacked texts, of which none is cut in two."""
    texts = [json.loads(line)["text"] for line in (inbox / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    small_models.llama(folder / "llama", texts)
    return {
        "TASK": "text_generation",
        "MODEL_PATH": str(folder / "llama"),
        "max_seq_length": 256,
        "packing": False,
    }


def summarization(folder: Path, inbox: Path) -> Keys:
    """A T5 without dropout, whose embeddings are the encoder's, the decoder's and the head's; it writes short texts.

    All targets are cut at the same length: T5 takes the mean over its own batch's tokens.
    """
    for name in ("train", "validation"):
        rows = [json.loads(line) for line in (inbox / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        pairs = [{"document": row["text"], "summary": f"{row['label']}: {row['text']}" * 2} for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    small_models.t5(folder / "t5", [row["text"] for row in rows], dropout_rate=0.0)
    return {
        "TASK": "summarization",
        "MODEL_PATH": str(folder / "t5"),
        "CUSTOM_DATASET_PATH": str(folder),
        "max_input_length": 64,
        "max_target_length": 16,
        "generation_max_length": 8,
    }


def image_classification(folder: Path, inbox: Path) -> Keys:
    """A ViT of 2 layers, 32 wide, on pictures of noise in the colour of their class."""
    pytest.importorskip("adapt_vision_mm", reason="needs adapt-vision-mm")
    import numpy
    from PIL import Image

    noise = numpy.random.default_rng(0)
    for split, count in (("train", 22), ("val", 7)):
        for name, colour in (("blue", (40, 60, 200)), ("green", (40, 190, 60)), ("red", (200, 50, 40))):
            pictures = folder / "pictures" / split / name
            pictures.mkdir(parents=True)
            for number in range(count):
                pixels = (noise.normal(0, 40, (36, 40, 3)) + colour).clip(0, 255).astype(numpy.uint8)
                Image.fromarray(pixels).save(pictures / f"{number}.png")
    small_models.vit(folder / "vit")
    return {
        "TASK": "image_classification",
        "MODEL_PATH": str(folder / "vit"),
        "CUSTOM_DATASET_PATH": str(folder / "pictures"),
        "augmentation": False,
    }


def object_detection(folder: Path, inbox: Path) -> Keys:
    """A small FCOS with frozen batch norms, on two squares in each of 64 images.

    FCOS divides each loss by a count that it averages over the processes, so theirs add up to one process's.
    """
    resnet = {"depth": 18, "base_channels": 8, "style": "pytorch"}
    return {
        **_squares(folder),
        "MODEL_PATH": "fcos_r50-caffe_fpn_gn-head_1x_coco",
        "cfg_options": {
            **{f"model.backbone.{key}": value for key, value in resnet.items()},
            "model.data_preprocessor.std": [58.4, 57.1, 57.4],
            "model.neck.in_channels": [8, 16, 32, 64],
            "model.neck.out_channels": 32,
            "model.bbox_head.in_channels": 32,
            "model.bbox_head.feat_channels": 32,
        },
    }


def detection_by_rtmdet(folder: Path, inbox: Path) -> Keys:
    """A narrow RTMDet, with group norms in the place of batch norms, on the same images."""
    groups = {"type": "GN", "num_groups": 2}
    return {
        **_squares(folder),
        "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
        "cfg_options": {
            "model.backbone.widen_factor": 0.125,
            "model.backbone.norm_cfg": groups,
            "model.neck.in_channels": [32, 64, 128],
            "model.neck.out_channels": 32,
            "model.neck.norm_cfg": groups,
            "model.bbox_head.in_channels": 32,
            "model.bbox_head.feat_channels": 32,
            "model.bbox_head.norm_cfg": groups,
        },
    }


def _squares(folder: Path) -> Keys:
    """object_detection of a red and a blue square in each of 64 images, as a COCO data set."""
    pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
    import numpy
    from PIL import Image

    random = numpy.random.default_rng(0)
    images, annotations = [], []
    (folder / "squares").mkdir()
    for number in range(1, 65):
        pixels = numpy.full((64, 96, 3), 200, dtype=numpy.uint8)
        for category, (left, colour) in enumerate(((0, (220, 20, 20)), (48, (20, 20, 220))), start=1):
            side = int(random.integers(18, 34))
            x, y = left + int(random.integers(0, 48 - side)), int(random.integers(0, 64 - side))
            pixels[y : y + side, x : x + side] = colour
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [x, y, side, side],
                    "area": side * side,
                    "iscrowd": 0,
                }
            )
        Image.fromarray(pixels).save(folder / "squares" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 64})
    categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]
    for name, count in (("train.json", 64), ("val.json", 37)):
        rows = {"images": images[:count], "annotations": annotations[: 2 * count], "categories": categories}
        (folder / "squares" / name).write_text(json.dumps(rows), encoding="utf-8")
    return {
        "TASK": "object_detection",
        "CUSTOM_DATASET_PATH": str(folder / "squares"),
        "image_size": 96,
        "augment": False,
        "checkpoint_interval": 1,
    }
