"""A pose config with a head for the data's keypoints, image_size and augment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.openmmlab.contracts import Step
from adapt_vision_mm.openmmlab.model_config import walk
from adapt_vision_mm.pose_detection.approaches import MIRROR, Codec, approach_of
from adapt_vision_mm.pose_detection.metainfo import metainfo
from adapt_vision_mm.pose_detection.mirrored_points import may_mirror

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.model import BaseModel

    from adapt_vision_mm.mm_params import PoseParams

_TRAINING_PIPELINES = ("train_pipeline", "train_pipeline_stage2", "train_pipeline_stage1")
_REPLACED = (
    *_TRAINING_PIPELINES,
    "val_pipeline",
    "train_dataloader",
    "val_dataloader",
    "test_dataloader",
    "val_evaluator",
    "test_evaluator",
)


class PoseConfig:
    """Adapts the config of a pose model: a `ConfigAdapter`."""

    def __init__(self, params: PoseParams) -> None:
        self._params = params

    def adapt(self, config: Config, train: AnnotatedSplit) -> list[Step]:
        """Set a head for the annotated keypoints, and pipelines for image_size and augment.

        Raises:
            InputError: the config's head or targets are not known to adapt, or image_size does not fit the model.
        """
        approach = approach_of(config)
        set_keypoint_count(config.model, len(train.categories[0].keypoints))
        codec = codec_of(config)
        if self._params.image_size is not None:
            approach.resize(config, codec, self._params.image_size)
        for key in _REPLACED:
            config.pop(key, None)
        pipeline = (approach.augmented if self._params.augment else approach.plain)(codec)
        mirrors = may_mirror(train.categories[0])
        config.train_pipeline = [step for step in pipeline if mirrors or step != MIRROR]
        config.test_pipeline = approach.testing(codec)
        # Plain mmpose reads the test dataset's mode and pipeline when it predicts.
        dataset = {"type": "CocoDataset", "data_mode": approach.data_mode, "pipeline": config.test_pipeline}
        config.test_dataloader = {"dataset": dataset}
        config.default_scope = "mmpose"
        return approach.plain(codec)

    def adapt_model(self, model: BaseModel, train: AnnotatedSplit) -> None:
        """Set the annotated OKS sigmas in losses and assigners, which would read them from a file."""
        import torch

        sigmas = torch.tensor(metainfo(train)["sigmas"])
        for module in model.modules():
            if type(module).__name__ == "OKSLoss":
                module.register_buffer("sigmas", sigmas.clone(), persistent=False)
            calculator = getattr(getattr(module, "assigner", None), "oks_calculator", None)
            if calculator is not None:
                calculator.sigmas = sigmas.clone()

    def dataset_meta(self, train: AnnotatedSplit) -> dict[str, Any]:
        """Return mmpose's parsed description of the keypoints, with the annotations' category id."""
        from mmpose.datasets.datasets.utils import parse_pose_metainfo

        parsed = parse_pose_metainfo(metainfo(train))
        plain = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in parsed.items()}
        plain["category_id"] = train.categories[0].id
        return {**plain, "skeleton_links": [list(map(int, link)) for link in plain["skeleton_links"]]}


def set_keypoint_count(model: dict[str, Any], count: int) -> None:
    """Set the number of keypoints in the head, and remove `metainfo` files, which describe others.

    Raises:
        InputError: the head has neither `num_keypoints` nor `out_channels`.
    """
    head = model["head"]
    for _, node in walk(head):
        if "num_keypoints" in node:
            node["num_keypoints"] = count
        if "metainfo" in node:
            node["metainfo"] = None
    if "num_keypoints" not in head:
        if "out_channels" not in head:
            raise InputError(
                f"MODEL_PATH: the head {head.get('type')} has no number of keypoints (num_keypoints, out_channels)."
                " Choose another config."
            )
        head["out_channels"] = count
    if isinstance(model.get("test_cfg"), dict) and "flip_test" in model["test_cfg"]:
        model["test_cfg"]["flip_test"] = False


def codec_of(config: Config) -> Codec:
    """Return the encoder of targets that the config's training pipeline uses.

    Raises:
        InputError: there is none.
    """
    for name in _TRAINING_PIPELINES:
        for step in config.get(name) or ():
            if step.get("type") == "GenerateTarget":
                encoder = step["encoder"]
                return dict(encoder[0] if isinstance(encoder, (list, tuple)) else encoder)
    raise InputError(
        f"MODEL_PATH: {config.filename} generates no targets that adapt can train on. Choose another config."
    )
