"""The task image_classification: labels or numbers per image, with any timm model or Hugging Face classifier."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.data_places import data_places
from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.contracts.recognition import Recognised
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import Decisions, Evaluated, spread
from adapt_core.hf.models.hub import HubUpload
from adapt_core.hf.problems.choice import describe
from adapt_core.hf.problems.kinds import require_metric
from adapt_core.hf.problems.params import check_problem
from adapt_core.hf.problems.problem import expected_problem, possible_metrics, problem_of
from adapt_core.hf.problems.training import completed
from adapt_core.run_folder.predictions import fresh_predictions, seal_predictions

from adapt_vision_mm.image_classification.backends.choice import choose_backend
from adapt_vision_mm.image_classification.defaults import DEFAULT_PROCESSOR
from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.image_classification.problems import PROBLEMS
from adapt_vision_mm.image_classification.processors import locate_processor

if TYPE_CHECKING:
    import numpy
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from adapt_core.execution.rows import Table

    from adapt_vision_mm.image_classification.backends.base import Backend
    from adapt_vision_mm.image_classification.transforms import Transforms

log = logging.getLogger(__name__)


class ImageClassification(HubUpload):
    """The task image_classification. What depends on the model's library is in its backend.

    Attributes:
        problem: what its model learns; as the data says once that, or a model for it, is loaded.
    """

    def __init__(self, plan: Plan[ImageClassificationParams]) -> None:
        self.plan = plan
        self.params = plan.task.params
        self.problem = expected_problem(plan, PROBLEMS)

    @cached_property
    def backend(self) -> Backend:
        """The backend of the model's library."""
        return choose_backend(self.plan)

    def check(self) -> None:
        """Check that data, model and processor exist, and that no key contradicts another."""
        check_problem(self.plan)
        if self.params.augments is None and (self.params.rand_augment is not None or self.params.random_erasing):
            raise InputError("RAND_AUGMENT, RANDOM_ERASING: these come on top of random crops. Set augmentation: true.")
        require_metric(self.plan, possible_metrics(self.plan, PROBLEMS))
        if self.plan.data.format_string:
            raise InputError(
                "FORMAT_STRING builds a text from columns, and image_classification reads images."
                " Leave FORMAT_STRING out."
            )
        from adapt_vision_mm.image_classification.first_look import check_images

        check_images(self.plan)
        self.backend.check_files()
        if self.params.image_processor_path != DEFAULT_PROCESSOR:
            locate_processor(self.params.image_processor_path)

    def check_further_sets(self) -> None:
        """Check the data sets of ALSO_EVALUATE as those of the run.

        Raises:
            InputError: one cannot be used.
        """
        from adapt_vision_mm.image_classification.first_look import check_further_images

        check_further_images(self.plan)

    def load_data(self) -> TaskData:
        """Return the splits as `ImageDataset`s: `pixel_values` (3, height, width) and `labels`."""
        from adapt_vision_mm.image_classification.data import held_out_images, load_rows
        from adapt_vision_mm.image_classification.epoch import share_out
        from adapt_vision_mm.image_classification.examples import examples_of
        from adapt_vision_mm.image_classification.splits import add_further_images, image_splits

        self.backend.check_model()
        if self.plan.training.group_by_length:
            log.info("GROUP_BY_LENGTH has no effect on images: all have one size.")
        splits = image_splits(self.plan, rows := load_rows(self.plan), self.transforms)
        data = TaskData(stats=rows.stats, examples=lambda: examples_of(rows, self.plan), row_numbers=rows.numbers)
        data.rows = held_out_images(rows)
        data.train, data.validation, data.test = map(splits.get, ("train", "validation", "test"))
        if data_places(self.plan.data):
            share_out(self.plan, rows, data)
        if self.plan.data.also_evaluate:
            add_further_images(self.plan, rows, data, self.transforms)
        describe(rows.choice, data)
        self.problem = problem_of(data, PROBLEMS)
        require_metric(self.plan, self.problem.metrics)
        return data

    @cached_property
    def transforms(self) -> Transforms:
        """The transforms of images into the model's inputs."""
        return self.backend.make_transforms(self.params.augments)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load a classifier with one output per label or number of the data."""
        self.problem = problem_of(data, PROBLEMS)
        loaded = self.backend.load_model(self.problem.names, quantizer, world)
        self.backend.write_problem(loaded.model, self.problem)
        return loaded

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """Return the names of the classifier's modules, found by the model's structure."""
        from adapt_core.nn.structure import find_head

        return find_head(model)

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """Return True: the classifier trains next to an adapter."""
        return True

    def make_loop(self, job: Job) -> Loop:
        """Build a Trainer loop on images."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop
        from adapt_core.hf.loop.losses import weighted_cross_entropy

        from adapt_vision_mm.image_classification.collate import collate
        from adapt_vision_mm.image_classification.frozen_rows import frozen_views
        from adapt_vision_mm.image_classification.mixing import mixing_of

        components = TrainerComponents(
            collate=collate,
            metrics=self.problem.metrics,
            compute_loss=None if self.backend.returns_loss and not self.params.mixes else weighted_cross_entropy(None),
            frozen_rows=partial(frozen_views, self.plan),
            model_inputs=self.backend.model_inputs,
            processing_class=self.backend.processing_class,
            trainer_class=self.backend.trainer_class,
            arguments={
                "label_names": ["labels"],
                "remove_unused_columns": False,  # the rows have no other columns
                "train_sampling_strategy": "random",
                **self.backend.training_arguments,
            },
        )
        targets = job.data.train.labels if job.data.train is not None else ()
        if job.data.train is not None and self.params.mixes:
            job.data.train.mixing = mixing_of(self.params, job, len(self.problem.names))
        params, mixes = self.params, self.params.mixes
        return HuggingFaceLoop(job, completed(components, self.problem, job.data, targets, params, mixes=mixes))

    def evaluated_facts(self, found: Evaluated, data: TaskData) -> Mapping[str, Any]:
        """Return the temperature and least confidence of one label, or the thresholds of several."""
        return self.problem.facts_of(found, self.params)

    def decisions(self, found: Evaluated, data: TaskData) -> Decisions:
        """Return the same, with how well they do in an evaluation."""
        return self.problem.decided(found, data.facts)

    def hold_facts(self, model: nn.Module, data: TaskData) -> None:
        """Write these decisions where the model's library keeps its labels."""
        self.problem = problem_of(data, PROBLEMS)
        self.backend.write_problem(model, self.problem)

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation images with what was expected and what the model says."""
        from adapt_vision_mm.image_classification.preview import validation_samples

        return validation_samples(model, data.validation, problem_of(data, PROBLEMS), count)

    def shown_inputs(self, data: TaskData, positions: Sequence[int]) -> list[str]:
        """Return validation images as data URIs."""
        from adapt_vision_mm.image_classification.preview import thumbnails

        return thumbnails(data.validation, positions)

    def row_contents(self, data: TaskData, positions: Sequence[int]) -> Iterator[str]:
        """Return digests of the files of validation images."""
        return map(data.validation.digest, positions)

    def load_structure(self, data: TaskData) -> LoadedModel:
        """Return the model on "meta". Its weights are read first: image classifiers are small."""
        loaded = self.load_model(data, None, World())
        loaded.model.to("meta")
        return loaded

    def largest_batch(self, data: TaskData) -> Mapping[str, torch.Tensor]:
        """Return a batch of training images: all have one size."""
        return self.training_batches(None, data, self.plan.training.batch_size)[0]

    def training_batches(self, model: nn.Module | None, data: TaskData, rows: int) -> list[Mapping[str, Any]]:
        """Return training images without augmentation, as the model's inputs."""
        from adapt_vision_mm.image_classification.preview import spread_images

        images, size = data.train.with_transform(self.transforms.evaluate), self.plan.training.batch_size
        return list(map(self.backend.model_inputs, spread_images(images, rows, size)))

    def random_batch(self, model: nn.Module) -> Mapping[str, torch.Tensor]:
        """Return a few random images as inputs of the model."""
        from adapt_vision_mm.image_classification.preview import random_images

        batch = self.backend.model_inputs(random_images(self.transforms.evaluate))
        return {name: tensor for name, tensor in batch.items() if name != "labels"}

    def frozen_features(
        self, model: nn.Module, data: TaskData, split: str, positions: Sequence[int], seconds: float
    ) -> NDArray[numpy.float32]:
        """Return what the model's head gets of images, without augmentation."""
        from adapt_vision_mm.image_classification.frozen_features import frozen_features

        images = getattr(data, split).with_transform(self.transforms.evaluate)
        return frozen_features(model, self.head(model)[0], images, positions, self.backend.model_inputs, seconds)

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Return the number of training images per label."""
        return self.problem.counts(data.train.labels)

    def data_formats(self) -> Mapping[str, Recognised]:
        """Return the format of each split of a table; none where the classes are folders."""
        from adapt_vision_mm.image_classification.first_look import formats_of_tables

        return formats_of_tables(self.plan)

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """Return at most `count` training images by name, with their labels or numbers."""
        rows = spread(len(data.train), count)
        told = {row: self.problem.expected(data.train.labels[row]) for row in rows}
        return [[(data.train.name(row), ""), *(("", name) for name in told[row])] for row in rows]

    def drawn_examples(self, data: TaskData, count: int) -> bytes:
        """Return a PNG of a few training images as the model sees them, with their labels or numbers."""
        from adapt_vision_mm.image_classification.preview import render_training_images

        return render_training_images(data.train, self.problem, count)

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Write weights, model config with the labels, and preprocessing."""
        self.backend.save_model(model, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        """Load the model that `save_model` wrote."""
        return self.backend.load_model_folder(folder)

    def loading_lines(self, save_method: str) -> str:
        """Return Python source that loads model and preprocessing, and shows how to classify an image."""
        return self.backend.loading_lines(save_method, self.problem)

    def save_beside_adapter(self, model: nn.Module, folder: Path) -> None:
        """Write labels and preprocessing beside an adapter, for plain peft."""
        self.backend.save_beside_adapter(model, folder)

    def adapter_loading_lines(self, adapter: Path) -> str:
        """Return Python source that loads base and adapter with plain peft, and shows how to classify an image."""
        return self.backend.adapter_loading_lines(adapter, self.problem)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Classify images, and write copies with what the model says to `predictions/`; see `classify_files`."""
        from adapt_vision_mm.image_classification.predict import classify_files

        transform, problem = self.backend.saved_transform(model, folder), self.backend.saved_problem(model)
        paths = [Path(path) for path in inputs]
        found = classify_files(model, transform, problem, paths, fresh_predictions(folder.parent, paths))
        seal_predictions(folder.parent)
        return found

    def test_inputs(self) -> Table | None:
        """Return the images of the test split, with or without labels; None where the data has none."""
        from adapt_vision_mm.image_classification.data import test_images

        return test_images(self.plan)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return image files, all images in folders, and the paths in .txt and .jsonl lists."""
        from adapt_vision_mm.images.decoder import find_defect
        from adapt_vision_mm.images.inputs import read_image_inputs

        return list(read_image_inputs(arguments, partial(find_defect, decode=False)))
