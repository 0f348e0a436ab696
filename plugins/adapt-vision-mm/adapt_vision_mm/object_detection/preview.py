"""Boxes drawn on images, with class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Annotation, CocoResult
from adapt_vision_mm.openmmlab.detectors.samples import input_boxes, label_objects

if TYPE_CHECKING:
    import torch
    from mmdet.structures import DetDataSample


class BoxRenderer:
    """Draws boxes: a `Renderer`."""

    def draw(
        self, image: torch.Tensor, objects: Sequence[Annotation | CocoResult], split: AnnotatedSplit, scale: float
    ) -> torch.Tensor:
        """Draw annotations or predictions."""
        from adapt_vision_mm.images.overlays import draw_objects

        return draw_objects(image, label_objects(objects, split), split.names, scale=scale)

    def draw_input(self, image: torch.Tensor, sample: DetDataSample, split: AnnotatedSplit) -> torch.Tensor:
        """Draw the boxes that a model is trained on."""
        from adapt_vision_mm.images.overlays import draw_objects

        return draw_objects(image, input_boxes(sample), split.names)
