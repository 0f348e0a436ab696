"""Keypoints and skeletons drawn on images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Annotation, CocoResult

if TYPE_CHECKING:
    import torch
    from mmpose.structures import PoseDataSample


class PoseRenderer:
    """Draws poses: a `Renderer`."""

    def draw(
        self, image: torch.Tensor, objects: Sequence[Annotation | CocoResult], split: AnnotatedSplit, scale: float
    ) -> torch.Tensor:
        """Draw annotations or predictions."""
        from adapt_vision_mm.images.overlays import draw_poses

        return draw_poses(image, [item["keypoints"] for item in objects], split.categories[0].skeleton, scale)

    def draw_input(self, image: torch.Tensor, sample: PoseDataSample, split: AnnotatedSplit) -> torch.Tensor:
        """Draw the keypoints that a model is trained on, where it sees them."""
        import numpy

        from adapt_vision_mm.images.overlays import draw_poses

        objects = sample.gt_instances
        positions = objects.transformed_keypoints if "transformed_keypoints" in objects else objects.keypoints
        visible = numpy.asarray(objects.keypoints_visible).reshape(len(positions), -1, 1)[:, : positions.shape[1]]
        bodies = numpy.concatenate([positions, visible], axis=2).reshape(len(positions), -1).tolist()
        return draw_poses(image, bodies, split.categories[0].skeleton)
