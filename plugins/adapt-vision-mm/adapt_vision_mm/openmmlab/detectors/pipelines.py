"""The image pipelines of detectors: the same for every config, so that `image_size` and `augment` mean one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_vision_mm.openmmlab.contracts import Step

if TYPE_CHECKING:
    from mmengine.config import Config

_META = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")
_DEFAULT_SIZE = 640
_SCALES = (0.8, 1.25)


def image_size(config: Config, wanted: int | None) -> int:
    """Return the longest side in pixels: image_size, or that of the config's own test pipeline, else 640."""
    if wanted:
        return wanted
    for step in config.get("test_pipeline") or ():
        scale = step.get("scale")
        if step.get("type") in ("Resize", "mmdet.Resize") and scale:
            return int(max(scale)) if isinstance(scale, (list, tuple)) else int(scale)
    return _DEFAULT_SIZE


def augmented(size: int, *, with_mask: bool, mirrors: bool) -> list[Step]:
    """Return a training pipeline that scales images by 0.8 to 1.25, mirrors them and varies their colours.

    Args:
        size: the longest side in pixels.
        with_mask: whether masks are loaded.
        mirrors: whether images are mirrored.
    """
    changes: list[Step] = [
        {"type": "RandomResize", "scale": (size, size), "ratio_range": _SCALES, "keep_ratio": True},
        {"type": "RandomCrop", "crop_size": (size, size), "allow_negative_crop": True},
        {"type": "YOLOXHSVRandomAug"},
    ]
    return _training([*changes, *([{"type": "RandomFlip", "prob": 0.5}] if mirrors else [])], with_mask=with_mask)


def plain(size: int, *, with_mask: bool) -> list[Step]:
    """Return a training pipeline without augmentation."""
    return _training([_resize(size)], with_mask=with_mask)


def testing(size: int, *, with_mask: bool) -> list[Step]:
    """Return the pipeline of evaluation and prediction."""
    pack = {"type": "PackDetInputs", "meta_keys": _META[:5]}
    return [{"type": "LoadImageFromFile"}, _resize(size), _annotations(with_mask=with_mask), pack]


def _training(changes: list[Step], *, with_mask: bool) -> list[Step]:
    pack = {"type": "PackDetInputs", "meta_keys": _META}
    return [{"type": "LoadImageFromFile"}, _annotations(with_mask=with_mask), *changes, pack]


def _annotations(*, with_mask: bool) -> Step:
    return {"type": "LoadAnnotations", "with_bbox": True, "with_mask": with_mask}


def _resize(size: int) -> Step:
    return {"type": "Resize", "scale": (size, size), "keep_ratio": True}
