"""A pose config made to fit the data: as many points as annotated, and adapt's own pipelines."""

from __future__ import annotations

from typing import Any

from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab.model_config import walk

_STRIDE = 32
_ROTATION = 30.0
_META = ("id", "img_id", "img_path", "category_id", "ori_shape", "img_shape", "input_size", "input_center")
_META_OF_INSTANCES = (*_META, "input_scale", "flip", "flip_direction", "flip_indices", "raw_ann_info")


def is_top_down(config: Any) -> bool:
    """Whether the model takes instances that a box cut out."""
    return str(config.model.type) == "TopdownPoseEstimator"


def fit_points(model: dict[str, Any], count: int) -> None:
    """Sets the number of points in the head, and leaves out files of other points (`metainfo`)."""
    head = model["head"]
    for _, node in walk(head):
        if "num_keypoints" in node:
            node["num_keypoints"] = count
        if "metainfo" in node:
            node["metainfo"] = None
    if "num_keypoints" not in head:
        if "out_channels" not in head:
            raise InputError(f"MODEL_PATH: the head {head.get('type')} does not tell its number of points.")
        head["out_channels"] = count
    if isinstance(model.get("test_cfg"), dict) and "flip_test" in model["test_cfg"]:
        model["test_cfg"]["flip_test"] = False


def set_sigmas(model: Any, sigmas: list[float]) -> None:
    """Gives the losses and assigners of a built model the annotated OKS sigmas, which they would read from a file."""
    import torch

    values = torch.tensor(sigmas)
    for module in model.modules():
        if type(module).__name__ == "OKSLoss":
            module.register_buffer("sigmas", values.clone(), persistent=False)
        calculator = getattr(getattr(module, "assigner", None), "oks_calculator", None)
        if calculator is not None:
            calculator.sigmas = values.clone()


def codec_of(config: Any) -> dict[str, Any]:
    """The encoder of targets that the config's training pipeline uses.

    Raises:
        InputError: there is none.
    """
    for name in ("train_pipeline", "train_pipeline_stage2", "train_pipeline_stage1"):
        for step in config.get(name) or ():
            if step.get("type") == "GenerateTarget":
                encoder = step["encoder"]
                return dict(encoder[0] if isinstance(encoder, (list, tuple)) else encoder)
    raise InputError(f"MODEL_PATH: {config.filename} generates no targets that adapt could train on.")


def resize(config: Any, codec: dict[str, Any], size: int | None) -> None:
    """Sets the input size of a model that sees whole images.

    Raises:
        InputError: a top-down model's size is built into its head.
    """
    if size is None:
        return
    if is_top_down(config):
        width, height = codec["input_size"]
        raise InputError(
            f"image_size: a top-down model cuts instances out at its own size ({width} x {height}); leave it out, or "
            "choose a config of another size."
        )
    rounded = max(_STRIDE, round(size / _STRIDE) * _STRIDE)
    codec["input_size"] = (rounded, rounded)
    if isinstance(config.model.get("test_cfg"), dict):
        config.model.test_cfg["input_size"] = (rounded, rounded)


def training(top_down: bool, codec: dict[str, Any], augment: bool) -> list[dict[str, Any]]:
    """Load, cut out or scale, vary, make targets, pack."""
    size = tuple(codec["input_size"])
    flip = [{"type": "RandomFlip", "direction": "horizontal"}] if augment else []
    colour = [{"type": "mmdet.YOLOXHSVRandomAug"}] if augment else []
    # The points where the model sees them are packed for those who look at the examples.
    pack = {"type": "PackPoseInputs", "pack_transformed": True}
    ending: list[dict[str, Any]] = [{"type": "GenerateTarget", "encoder": codec}, pack]
    if top_down:
        vary = {"type": "RandomBBoxTransform", "scale_factor": (0.75, 1.25), "rotate_factor": _ROTATION}
        cut = [{"type": "LoadImage"}, {"type": "GetBBoxCenterScale"}]
        scale = {"type": "TopdownAffine", "input_size": size}
        return [*cut, *flip, *([vary] if augment else []), scale, *colour, *ending]
    affine: dict[str, Any] = {
        "type": "BottomupRandomAffine",
        "input_size": size,
        "scale_type": "long",
        "pad_val": (114, 114, 114),
        "bbox_keep_corner": False,
        "clip_border": True,
        "shift_prob": 1.0 if augment else 0.0,
        "rotate_prob": 1.0 if augment else 0.0,
        "scale_prob": 1.0 if augment else 0.0,
        "shift_factor": 0.1,
        "rotate_factor": 10,
        "scale_factor": (0.75, 1.25),
    }
    kept = {"type": "FilterAnnotations", "by_kpt": True, "by_box": True, "keep_empty": False}
    return [
        {"type": "LoadImage"},
        affine,
        *colour,
        *flip,
        {"type": "BottomupGetHeatmapMask", "get_invalid": True},
        kept,
        *ending,
    ]


def testing(top_down: bool, codec: dict[str, Any]) -> list[dict[str, Any]]:
    """Load, cut out or scale, pack."""
    size = tuple(codec["input_size"])
    if top_down:
        affine = {"type": "TopdownAffine", "input_size": size}
        pack = {"type": "PackPoseInputs", "meta_keys": _META_OF_INSTANCES}
        return [{"type": "LoadImage"}, {"type": "GetBBoxCenterScale"}, affine, pack]
    scaled = {"type": "BottomupResize", "input_size": size, "pad_val": (114, 114, 114)}
    pack = {"type": "PackPoseInputs", "meta_keys": (*_META, "input_scale")}
    return [{"type": "LoadImage"}, scaled, pack]
