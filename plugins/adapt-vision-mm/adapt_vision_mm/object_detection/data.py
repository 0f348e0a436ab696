"""The data of object_detection: annotations with boxes, as a dataset of mmdet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.formats import read_split
from adapt_vision_mm.annotations.formats.contract import ReadOptions
from adapt_vision_mm.annotations.further import further_splits
from adapt_vision_mm.annotations.sources import SplitSource
from adapt_vision_mm.annotations.splits import find_unannotated_test, read_splits
from adapt_vision_mm.openmmlab.contracts import MmDataset, Step

if TYPE_CHECKING:
    from mmengine.config import Config

    from adapt_core.config.plan import Plan

    from adapt_vision_mm.mm_params import DetectionParams


class DetectionData:
    """The splits of object_detection: a `DataSource`."""

    def __init__(self, plan: Plan[DetectionParams]) -> None:
        self._plan = plan

    def read_splits(self) -> dict[str, AnnotatedSplit]:
        """Read COCO JSON or Pascal VOC."""
        return read_splits(self._plan, self._read)

    def read_further(self, train: AnnotatedSplit) -> dict[str, AnnotatedSplit]:
        """Read the data sets of ALSO_EVALUATE."""
        return further_splits(self._plan, train, lambda plan: DetectionData(plan)._read)

    def _read(self, source: SplitSource, classes: Sequence[str] | None) -> AnnotatedSplit:
        return read_split(source, "boxes", ReadOptions.of(self._plan, classes))

    def list_unannotated_test(self) -> Mapping[int, Path] | None:
        """Return the images of a test split without annotations by id; None where it has some, or is a folder."""
        return find_unannotated_test(self._plan, self._read)

    def make_dataset(
        self, split: AnnotatedSplit, pipeline: Sequence[Step], config: Config, *, training: bool
    ) -> MmDataset:
        """Return an mmdet dataset."""
        from adapt_vision_mm.openmmlab.detectors.dataset import AnnotatedDataset

        run = self._plan.training
        return AnnotatedDataset(split, list(pipeline), run.seed, run.epochs, training=training)
