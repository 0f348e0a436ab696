"""The image pipelines of detectors: the same for every config, so that `image_size` and `augment` mean one thing."""

from __future__ import annotations

from typing import Any

_META = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")
_DEFAULT_SIZE = 640
_SCALES = (0.8, 1.25)


def image_size(config: Any, wanted: int | None) -> int:
    """Longest side in pixels: image_size, or that of the config's own test pipeline, else 640."""
    if wanted:
        return wanted
    for step in config.get("test_pipeline") or ():
        scale = step.get("scale")
        if step.get("type") in ("Resize", "mmdet.Resize") and scale:
            return int(max(scale)) if isinstance(scale, (list, tuple)) else int(scale)
    return _DEFAULT_SIZE


def training(size: int, augment: bool, masks: bool) -> list[dict[str, Any]]:
    """Load, annotate, scale (longest side `size`, varied by 0.8 to 1.25), mirror, vary colours, pack."""
    annotations = {"type": "LoadAnnotations", "with_bbox": True, "with_mask": masks}
    if not augment:
        scaled = [{"type": "Resize", "scale": (size, size), "keep_ratio": True}]
    else:
        scaled = [
            {"type": "RandomResize", "scale": (size, size), "ratio_range": _SCALES, "keep_ratio": True},
            {"type": "RandomCrop", "crop_size": (size, size), "allow_negative_crop": True},
            {"type": "YOLOXHSVRandomAug"},
            {"type": "RandomFlip", "prob": 0.5},
        ]
    return [{"type": "LoadImageFromFile"}, annotations, *scaled, {"type": "PackDetInputs", "meta_keys": _META}]


def testing(size: int, masks: bool) -> list[dict[str, Any]]:
    """Load, scale, annotate, pack."""
    return [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": (size, size), "keep_ratio": True},
        {"type": "LoadAnnotations", "with_bbox": True, "with_mask": masks},
        {"type": "PackDetInputs", "meta_keys": _META[:5]},
    ]
