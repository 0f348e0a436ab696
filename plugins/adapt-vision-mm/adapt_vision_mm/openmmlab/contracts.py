"""What each task gives the shared code: its data, its config, its scores and its drawings.

A task's folder has one module for each: `data`, `config`, `metrics`, `preview`, and `predict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from adapt_core.evaluation import PerClass

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Annotation, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.metric_names import Kind

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config
    from mmengine.model import BaseModel
    from mmengine.structures import BaseDataElement

Package = Literal["mmdet", "mmpose"]
"""The package whose configs are known by name and whose registry builds the model."""

Step = dict[str, Any]
"""A transform of an OpenMMLab pipeline: `type` and its arguments."""

FURTHER_VIEW = 2**20
"""Epochs by which the number of an image that comes again in an epoch is moved, for another view of it."""


class MmDataset(Protocol):
    """An annotated split as a dataset of mmengine. An item has `inputs` (uint8 BGR) and `data_samples`."""

    @property
    def annotated(self) -> AnnotatedSplit: ...

    @property
    def data_list(self) -> list[dict[str, Any]]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


class DataSource(Protocol):
    """The splits of a task, and their datasets."""

    def read_splits(self) -> dict[str, AnnotatedSplit]:
        """Read and validate the splits that the run needs: train, val, test.

        Raises:
            InputError: a file does not exist.
            DataError: annotations cannot be used.
        """

    def read_further(self, train: AnnotatedSplit) -> dict[str, AnnotatedSplit]:
        """Read what is evaluated of each data set of ALSO_EVALUATE, by name, with the classes of the training split.

        Raises:
            InputError: one does not exist.
            DataError: annotations cannot be used, or no image has classes of the training split.
        """

    def list_unannotated_test(self) -> Mapping[int, Path] | None:
        """Return the images, by id, of a test split whose file has no annotations; None where it has, or there is none.

        `read_splits` leaves such a split out.
        """

    def make_dataset(
        self, split: AnnotatedSplit, pipeline: Sequence[Step], config: Config, *, training: bool
    ) -> MmDataset:
        """Return a split as a dataset of the package; for training without images that have no object."""


class ConfigAdapter(Protocol):
    """Adapts an OpenMMLab config, and the model that is built from it, to the training split."""

    def adapt(self, config: Config, train: AnnotatedSplit) -> list[Step]:
        """Set heads, `train_pipeline`, `test_pipeline` and `test_dataloader`, and remove what adapt replaces.

        Returns:
            the pipeline of a validation loss: training's without augmentation.

        Raises:
            InputError: the config does not fit the task or its parameters.
        """

    def adapt_model(self, model: BaseModel, train: AnnotatedSplit) -> None:
        """Set what a built model takes from the data and no config holds."""

    def dataset_meta(self, train: AnnotatedSplit) -> dict[str, Any]:
        """Return `dataset_meta` of a saved checkpoint: class names or keypoints."""


class Scorer(Protocol):
    """Predictions to COCO results, and results to metrics."""

    @property
    def metrics(self) -> Mapping[str, str]:
        """Metric names to "higher" or "lower"; the first decides what is best."""

    def to_results(self, sample: BaseDataElement, split: AnnotatedSplit) -> list[CocoResult]:
        """Return the predictions of one data sample."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is compared; the first is what images and classes are judged by."""

    def per_class(self, evaluation: CocoEvaluation) -> PerClass:
        """Return metrics of each class.

        Args:
            evaluation: of the first of `kinds`.
        """


class Renderer(Protocol):
    """Draws annotations and predictions on images, uint8 RGB (3, height, width)."""

    def draw(
        self, image: torch.Tensor, objects: Sequence[Annotation | CocoResult], split: AnnotatedSplit, scale: float
    ) -> torch.Tensor:
        """Return an image with annotations or results, their coordinates multiplied by `scale`."""

    def draw_input(self, image: torch.Tensor, sample: BaseDataElement, split: AnnotatedSplit) -> torch.Tensor:
        """Return a model's input with the objects of its data sample."""


class Predictor(Protocol):
    """Predicts on image files."""

    def predict(self, model: BaseModel, paths: Sequence[Path], output: Path) -> list[dict[str, Any]]:
        """Return one JSON-ready mapping per image, and write drawn images and `predictions.json` into a folder."""


@attrs.frozen(kw_only=True)
class TaskComponents:
    """The components of a task. Constructed before torch is imported."""

    package: Package
    data: DataSource
    config: ConfigAdapter
    scorer: Scorer
    renderer: Renderer
    predictor: Predictor


class BatchLoader(Protocol):
    """Batches of a dataset, as mmengine collates them."""

    def __iter__(self) -> Iterator[dict[str, Any]]: ...

    def __len__(self) -> int: ...


Batches = Iterable[dict[str, Any]]
