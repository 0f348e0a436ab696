"""Changes to a model's config that every task needs: classes, plain norms, no frozen layers, no downloads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

log = logging.getLogger(__name__)

_STRIDE = 32
_CHECKPOINT_KEYS = ("pretrained", "checkpoint_path", "teacher_ckpt", "teacher_pretrained")
_PRETRAINED = ("Pretrained", "PretrainedInit")
"""The initializer that loads a checkpoint, by its name in the registry and its own."""


def walk(node: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every mapping of a config with its dotted path, outermost first."""
    if isinstance(node, dict):
        yield path, node
        for key, value in list(node.items()):
            yield from walk(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, (list, tuple)):
        for number, value in enumerate(node):
            yield from walk(value, f"{path}.{number}")


def separate_classes(model: dict[str, Any]) -> None:
    """Make each NMS of predictions go through one class after the other.

    mmcv shifts the boxes of class k by k x (1 + the largest coordinate) and runs one NMS on all. A box that begins
    above and left of the image (YOLOX predicts such) then reaches into those of the class before, which can remove it.
    """
    for path, node in walk(model):
        if "test_cfg" in path and path.endswith("nms") and "iou_threshold" in node:
            node["split_thr"] = 0


def fit_classes(model: dict[str, Any], classes: int) -> None:
    """Set `num_classes` wherever the config has one outside its backbone.

    Heads that do not predict the data's classes (an RPN predicts objectness) have no such key.
    """
    for path, node in walk(model):
        if "num_classes" in node and not path.startswith("backbone"):
            node["num_classes"] = classes


def use_plain_norms(model: dict[str, Any]) -> None:
    """Replace SyncBN, which needs a GPU and several processes, by BatchNorm."""
    for _, node in walk(model):
        if node.get("type") in ("SyncBN", "MMSyncBN", "NaiveSyncBN"):
            node["type"] = "BN"
        if node.get("type") == "RTMDet" or node.get("use_syncbn"):
            # Otherwise the model converts its norms to SyncBN itself; RTMDet does by default.
            node["use_syncbn"] = False


def unfreeze(model: dict[str, Any]) -> None:
    """Unfreeze what a config freezes by itself: the method decides which parameters train."""
    for _, node in walk(model):
        if node.get("frozen_stages", -1) >= 0:
            node["frozen_stages"] = -1
        if node.get("requires_grad") is False and node.get("type") in ("BN", "GN", "LN"):
            node["requires_grad"] = True


def remove_checkpoints(model: dict[str, Any], *, keep_backbone: bool) -> None:
    """Remove the checkpoints that a config names, in whichever form, and log that of the backbone.

    Args:
        model: the `model` of a config.
        keep_backbone: backbone_weights: pretrained.
    """
    for path, node in walk(model):
        if keep_backbone and path.partition(".")[0] == "backbone":
            continue
        init = node.get("init_cfg")
        named = _named_checkpoints(init)
        if named:
            others = [item for item in init if not _named_checkpoints(item)] if isinstance(init, (list, tuple)) else []
            node["init_cfg"] = others or None
        for key in _CHECKPOINT_KEYS:
            if node.get(key):
                named.append(node[key])
                node[key] = False if node[key] is True else None
        if named and path == "backbone":
            log.info("the backbone's pretrained weights (%s) are not loaded: see backbone_weights", named[0])


def _named_checkpoints(init: object) -> list[Any]:
    """Return the checkpoints in an `init_cfg`: a mapping or a list of them, which may override parts by others."""
    return [
        node.get("checkpoint")
        for _, node in walk(init)
        if "checkpoint" in node or str(node.get("type")).endswith(_PRETRAINED)
    ]


def fit_detections(model: dict[str, Any]) -> None:
    """Limit the detections per image to the queries of a transformer: mmdet fails with more."""
    queries, test = model.get("num_queries"), model.get("test_cfg")
    if queries and isinstance(test, dict) and test.get("max_per_img", 0) > queries:
        log.info("%d detections an image at most: the model has no more queries", queries)
        test["max_per_img"] = queries


def fit_images(model: dict[str, Any]) -> None:
    """Pad batches to a multiple of 32 pixels, without resizing them again after the pipeline."""
    preprocessor = model.get("data_preprocessor")
    if isinstance(preprocessor, dict):
        preprocessor["batch_augments"] = None
        if preprocessor.get("pad_size_divisor", 1) % _STRIDE:
            preprocessor["pad_size_divisor"] = _STRIDE
