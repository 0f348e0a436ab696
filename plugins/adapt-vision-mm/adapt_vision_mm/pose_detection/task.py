"""Points on bodies, with any 2d model of mmpose: top-down, or one-stage on whole images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.contracts import LoadedModel, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import DataError, InputError
from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Category
from adapt_vision_mm.annotations.average_precision import average_precision
from adapt_vision_mm.annotations.formats import coco
from adapt_vision_mm.annotations.masks import is_number
from adapt_vision_mm.annotations.per_class import point_accuracy
from adapt_vision_mm.annotations.sources import Split
from adapt_vision_mm.annotations.splits import read_splits
from adapt_vision_mm.openmmlab.task import MmTask
from adapt_vision_mm.pose_detection.metainfo import metainfo
from adapt_vision_mm.pose_detection.results import poses

if TYPE_CHECKING:
    import torch
    from torch import nn


class PoseDetection(MmTask):
    """The task pose_detection."""

    package = "mmpose"
    init = "mmpose.apis:init_model"
    metrics = {  # noqa: RUF012 - declared a ClassVar in the base
        "keypoint_mAP": "higher",
        "keypoint_AP50": "higher",
        "keypoint_AP75": "higher",
    }
    top_down = False

    def read_splits(self) -> dict[str, AnnotatedSplit]:
        """COCO keypoint JSON; the one class that has points."""
        return read_splits(self.plan, self._read)

    def _read(self, place: Split, names: Sequence[str] | None) -> AnnotatedSplit:
        if place.annotations is None or place.annotations.suffix != ".json":
            raise InputError("pose_detection reads COCO keypoint JSON: set train_ann_file and val_ann_file.")
        found = coco.read(place.annotations, place.images, self.plan.data.skip_bad_rows, judge=_point_fault)
        with_points = [category for category in found.categories if category.keypoints]
        if len(with_points) != 1:
            raise DataError(
                f"{found.source}: {len(with_points)} categories have keypoints; a pose model has the points of one."
            )
        chosen = with_points[0]
        pictures = tuple(
            attrs.evolve(p, annotations=tuple(a for a in p.annotations if a["category_id"] == chosen.id))
            for p in found.pictures
        )
        return attrs.evolve(found, pictures=pictures, categories=(chosen,))

    def fit(self, config: Any) -> None:
        """A head for the annotated points, and pipelines for image_size and augment."""
        from adapt_vision_mm.pose_detection import config as pose_config

        params = self.plan.task.params
        self.top_down = pose_config.is_top_down(config)
        pose_config.fit_points(config.model, len(self.splits["train"].categories[0].keypoints))
        codec = pose_config.codec_of(config)
        pose_config.resize(config, codec, params.image_size)
        for key in ("train_pipeline", "train_pipeline_stage1", "train_pipeline_stage2", "val_pipeline"):
            config.pop(key, None)
        config.train_pipeline = pose_config.training(self.top_down, codec, params.augment)
        config.test_pipeline = pose_config.testing(self.top_down, codec)
        self.loss_pipeline = pose_config.training(self.top_down, codec, augment=False)
        for key in ("train_dataloader", "val_dataloader", "test_dataloader", "val_evaluator", "test_evaluator"):
            config.pop(key, None)
        # What plain mmpose needs of a data set to predict.
        mode = "topdown" if self.top_down else "bottomup"
        config.test_dataloader = {
            "dataset": {"type": "CocoDataset", "data_mode": mode, "pipeline": config.test_pipeline}
        }
        config.default_scope = "mmpose"

    def dataset(self, split: AnnotatedSplit, pipeline: Sequence[Mapping[str, Any]], training: bool) -> Any:
        """An mmpose data set."""
        from adapt_vision_mm.pose_detection.data import PoseDataset

        seed = self.plan.training.seed
        return PoseDataset(split, metainfo(split), list(pipeline), self.top_down, seed, training)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """As every task's, with the annotated sigmas in its losses."""
        from adapt_vision_mm.pose_detection.config import set_sigmas

        loaded = super().load_model(data, quantizer, world)
        set_sigmas(loaded.model, metainfo(self.splits["train"])["sigmas"])
        return loaded

    def results(self, sample: Any, split: Any) -> list[dict[str, Any]]:
        """Points of each instance; their scores stand where COCO has the visibility."""
        category = split.annotated.categories[0]
        return [{**pose, "category_id": category.id} for pose in poses(sample)]

    def score(self, results: list[dict[str, Any]], split: Any) -> dict[str, float]:
        """COCO's OKS mAP, AP50 and AP75."""
        return average_precision(split.annotated, results, "keypoints")

    def per_class(self, results: list[dict[str, Any]], split: Any) -> PerClass:
        """How often each point is found near its place."""
        return point_accuracy(split.annotated, results)

    def draw(self, image: torch.Tensor, objects: Sequence[Mapping[str, Any]], scale: float) -> torch.Tensor:
        """Points and skeletons."""
        from adapt_vision_mm.images.overlays import draw_poses

        skeleton = self.splits["train"].categories[0].skeleton
        return draw_poses(image, [item["keypoints"] for item in objects], skeleton, scale)

    def draw_input(self, image: torch.Tensor, sample: Any) -> torch.Tensor:
        """Points where the model sees them."""
        import numpy

        from adapt_vision_mm.images.overlays import draw_poses

        there = sample.gt_instances
        places = there.transformed_keypoints if "transformed_keypoints" in there else there.keypoints
        visible = numpy.asarray(there.keypoints_visible).reshape(len(places), -1, 1)[:, : places.shape[1]]
        bodies = numpy.concatenate([places, visible], axis=2).reshape(len(places), -1).tolist()
        return draw_poses(image, bodies, self.splits["train"].categories[0].skeleton)

    def meta(self) -> dict[str, Any]:
        """mmpose's parsed description of the points."""
        from mmpose.datasets.datasets.utils import parse_pose_metainfo

        parsed = parse_pose_metainfo(metainfo(self.splits["train"]))
        plain = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in parsed.items()}
        return {**plain, "skeleton_links": [list(map(int, link)) for link in plain["skeleton_links"]]}

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each image: {"image", "detections", "drawn"}.

        A detection has "score", "bbox" where the model gives boxes, and "keypoints": name -> [x, y, score] in pixels.
        A top-down model takes the whole image for one instance. `drawn` is the image in `predictions/` of the run.
        """
        from adapt_vision_mm.pose_detection.predict import predict_poses

        return predict_poses(model, folder, inputs, self.plan)


def _point_fault(annotation: Mapping[str, Any], category: Category, _: Mapping[str, Any]) -> str | None:
    if not category.keypoints:
        return None
    points = annotation.get("keypoints")
    wanted = 3 * len(category.keypoints)
    if not isinstance(points, list) or len(points) != wanted:
        count = len(points) if isinstance(points, list) else 0
        return f"keypoints has {count} numbers; {len(category.keypoints)} points are {wanted}"
    if not all(map(is_number, points)):
        return "keypoints holds a value that is no number"
    return None
