"""What differs between a top-down model, which sees one instance cut out by its box, and one that sees whole images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab.contracts import Step

if TYPE_CHECKING:
    import numpy
    from mmengine.config import Config
    from mmengine.model import BaseModel
    from mmpose.structures import PoseDataSample
    from numpy.typing import NDArray

    Inference = Callable[[BaseModel, NDArray[numpy.uint8]], list[PoseDataSample]]
    """(model, image in blue, green, red) -> its data samples."""

Codec = dict[str, Any]
"""mmpose's encoder of training targets, with `input_size` (width, height) in pixels."""

_STRIDE = 32
_PADDING = (114, 114, 114)
_META = ("id", "img_id", "img_path", "category_id", "ori_shape", "img_shape", "input_size", "input_center")
_META_OF_INSTANCES = (*_META, "input_scale", "flip", "flip_direction", "flip_indices", "raw_ann_info")
_LOAD_IMAGE = {"type": "LoadImage"}
_LOAD_INSTANCE = (_LOAD_IMAGE, {"type": "GetBBoxCenterScale"})
MIRROR: Step = {"type": "RandomFlip", "direction": "horizontal"}
"""The transform that mirrors half of the training images."""
_COLOUR = {"type": "mmdet.YOLOXHSVRandomAug"}


class PoseApproach(Protocol):
    """Pipelines and inference of one kind of model."""

    @property
    def data_mode(self) -> str:
        """mmpose's name of the approach."""

    def resize(self, config: Config, codec: Codec, size: int) -> None:
        """Set the input size.

        Raises:
            InputError: the size is built into the model.
        """

    def augmented(self, codec: Codec) -> list[Step]:
        """Return the training pipeline with augmentation."""

    def plain(self, codec: Codec) -> list[Step]:
        """Return the training pipeline without augmentation."""

    def testing(self, codec: Codec) -> list[Step]:
        """Return the pipeline of evaluation and prediction."""

    def inference(self) -> Inference:
        """Return mmpose's function that predicts on an image."""


def approach_of(config: Config) -> PoseApproach:
    """Return the approach of a config's model."""
    return TopDown() if str(config.model.type) == "TopdownPoseEstimator" else BottomUp()


class TopDown:
    """A model of single instances."""

    data_mode = "topdown"

    def resize(self, config: Config, codec: Codec, size: int) -> None:
        """Raise an error: the head is built for one input size."""
        width, height = codec["input_size"]
        raise InputError(
            f"image_size: a top-down model crops instances to its own size ({width} x {height}); leave it out, or "
            "choose a config of another size."
        )

    def augmented(self, codec: Codec) -> list[Step]:
        """Crop, mirror, scale by 0.75 to 1.25, rotate by up to 30 degrees and vary colours."""
        vary = {"type": "RandomBBoxTransform", "scale_factor": (0.75, 1.25), "rotate_factor": 30.0}
        return [*_LOAD_INSTANCE, MIRROR, vary, _crop(codec), _COLOUR, *_targets(codec)]

    def plain(self, codec: Codec) -> list[Step]:
        """Crop."""
        return [*_LOAD_INSTANCE, _crop(codec), *_targets(codec)]

    def testing(self, codec: Codec) -> list[Step]:
        """Crop."""
        return [*_LOAD_INSTANCE, _crop(codec), {"type": "PackPoseInputs", "meta_keys": _META_OF_INSTANCES}]

    def inference(self) -> Inference:
        """Return `inference_topdown`, which takes a whole image as one instance where no box is given."""
        from mmpose.apis import inference_topdown

        infer: Inference = inference_topdown
        return infer


class BottomUp:
    """A model of whole images."""

    data_mode = "bottomup"

    def resize(self, config: Config, codec: Codec, size: int) -> None:
        """Set a square input of the nearest multiple of 32 pixels."""
        side = max(_STRIDE, round(size / _STRIDE) * _STRIDE)
        codec["input_size"] = (side, side)
        if isinstance(config.model.get("test_cfg"), dict):
            config.model.test_cfg["input_size"] = (side, side)

    def augmented(self, codec: Codec) -> list[Step]:
        """Shift, scale by 0.75 to 1.25, rotate by up to 10 degrees, mirror and vary colours."""
        return [_LOAD_IMAGE, _affine(codec, probability=1.0), _COLOUR, MIRROR, *_keep_visible(), *_targets(codec)]

    def plain(self, codec: Codec) -> list[Step]:
        """Scale to the input size."""
        return [_LOAD_IMAGE, _affine(codec, probability=0.0), *_keep_visible(), *_targets(codec)]

    def testing(self, codec: Codec) -> list[Step]:
        """Scale to the input size."""
        scale = {"type": "BottomupResize", "input_size": tuple(codec["input_size"]), "pad_val": _PADDING}
        return [_LOAD_IMAGE, scale, {"type": "PackPoseInputs", "meta_keys": (*_META, "input_scale")}]

    def inference(self) -> Inference:
        """Return `inference_bottomup`."""
        from mmpose.apis import inference_bottomup

        infer: Inference = inference_bottomup
        return infer


def _crop(codec: Codec) -> Step:
    return {"type": "TopdownAffine", "input_size": tuple(codec["input_size"])}


def _affine(codec: Codec, probability: float) -> Step:
    return {
        "type": "BottomupRandomAffine",
        "input_size": tuple(codec["input_size"]),
        "scale_type": "long",
        "pad_val": _PADDING,
        "bbox_keep_corner": False,
        "clip_border": True,
        "shift_prob": probability,
        "rotate_prob": probability,
        "scale_prob": probability,
        "shift_factor": 0.1,
        "rotate_factor": 10,
        "scale_factor": (0.75, 1.25),
    }


def _keep_visible() -> list[Step]:
    mask = {"type": "BottomupGetHeatmapMask", "get_invalid": True}
    return [mask, {"type": "FilterAnnotations", "by_kpt": True, "by_box": True, "keep_empty": False}]


def _targets(codec: Codec) -> list[Step]:
    # `pack_transformed` keeps the keypoints where the model sees them, for previews.
    return [{"type": "GenerateTarget", "encoder": codec}, {"type": "PackPoseInputs", "pack_transformed": True}]
