"""Masks and boxes drawn on images, with class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Annotation, CocoResult
from adapt_vision_mm.openmmlab.detectors.samples import input_masks, label_objects

if TYPE_CHECKING:
    import torch
    from mmdet.structures import DetDataSample


class MaskRenderer:
    """Draws masks and boxes: a `Renderer`.

    Args:
        palette: colours by label.
    """

    def __init__(self, palette: Sequence[Sequence[int]]) -> None:
        self._palette = palette

    def draw(
        self, image: torch.Tensor, objects: Sequence[Annotation | CocoResult], split: AnnotatedSplit, scale: float
    ) -> torch.Tensor:
        """Draw annotations or predictions."""
        from adapt_vision_mm.images.overlays import draw_objects

        return draw_objects(image, label_objects(objects, split), split.names, self._palette, scale)

    def draw_input(self, image: torch.Tensor, sample: DetDataSample, split: AnnotatedSplit) -> torch.Tensor:
        """Draw the masks that a model is trained on."""
        from adapt_vision_mm.images.overlays import draw_objects

        return draw_objects(image, input_masks(sample), split.names, self._palette)
