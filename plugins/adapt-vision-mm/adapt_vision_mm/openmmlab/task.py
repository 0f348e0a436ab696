"""A task of mmdet or mmpose as the pipeline sees it: each question goes to the component that answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.contracts.recognition import Recognised
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import Decisions, Evaluated, further_split, spread
from adapt_core.hf.decisions.names import THRESHOLDS
from adapt_core.hf.models.hub import HubUpload
from adapt_core.run_folder.predictions import fresh_predictions, seal_predictions

from adapt_vision_mm.annotations.annotated_split import (
    AnnotatedSplit,
    CocoResult,
    categories_from_data,
    categories_to_data,
)
from adapt_vision_mm.annotations.image_files import image_defect
from adapt_vision_mm.annotations.score_thresholds import least_score
from adapt_vision_mm.annotations.sources import PLACE_NAMES
from adapt_vision_mm.annotations.splits import warn_of_dropped_rows
from adapt_vision_mm.images.decoder import image_digest
from adapt_vision_mm.mm_params import MmParams
from adapt_vision_mm.openmmlab import availability, backbones
from adapt_vision_mm.openmmlab.config_files import CONFIG
from adapt_vision_mm.openmmlab.contracts import TaskComponents
from adapt_vision_mm.openmmlab.datasets import SplitDatasets
from adapt_vision_mm.openmmlab.known_classes import with_known_classes
from adapt_vision_mm.openmmlab.model_builder import ModelBuilder, head_names
from adapt_vision_mm.openmmlab.trusted_configs import require_plain

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.config.plan import Plan
    from adapt_core.execution.rows import Table

ParamsT = TypeVar("ParamsT", bound=MmParams)

_MEASURED_IMAGES = 2
"""Images of the forward pass that measures activations; BatchNorm needs more than one."""


class MmTask(HubUpload, Generic[ParamsT]):
    """Base of the OpenMMLab tasks.

    Args:
        plan: the plan.
        components: what makes up the task.

    Attributes:
        models: builds the model, and holds its config.
    """

    def __init__(self, plan: Plan[ParamsT], components: TaskComponents) -> None:
        self.plan = plan
        self._components = components
        self.models = ModelBuilder(plan, components.package, components.config, lambda: self._classes)
        self._datasets = SplitDatasets(components.data, lambda: self.models.adapted)

    @cached_property
    def splits(self) -> dict[str, AnnotatedSplit]:
        """The annotated splits by name: train, val, test."""
        return with_known_classes(self.plan.model.start_from, self._components.data.read_splits())

    @cached_property
    def _classes(self) -> AnnotatedSplit:
        """The training split: the model takes the classes and keypoints from it, and nothing else."""
        return self.splits["train"]

    def check(self) -> None:
        """Check installation, config, weights and data, every annotation included. Needs no torch."""
        availability.require_installed(self.plan.task.name, self._components.package)
        if self.plan.run.save_method == "save_pretrained":
            raise InputError(
                "SAVE_METHOD: save_pretrained is for Hugging Face models. Use state_dict, safetensors or "
                "full_torch_model; a checkpoint and config for plain OpenMMLab are always written too."
            )
        if self.plan.model.dtype not in ("auto", "float32"):
            raise InputError(
                f"DTYPE: OpenMMLab models have float32 weights; not {self.plan.model.dtype}. "
                "BF16: true trains in mixed precision."
                " Leave DTYPE out."
            )
        if self.plan.data.group_column is not None:
            raise InputError(
                "GROUP_COLUMN: annotated images have no columns. Split them yourself, and name the validation split."
            )
        _ = self.models.files
        backbones.check_backbone(self.plan)
        for split in self.splits.values():
            warn_of_dropped_rows(split)

    @cached_property
    def further(self) -> dict[str, AnnotatedSplit]:
        """What is evaluated of each data set of ALSO_EVALUATE."""
        return self._components.data.read_further(self.splits["train"])

    def check_further_sets(self) -> None:
        """Check the data sets of ALSO_EVALUATE, every annotation included."""
        for split in self.further.values():
            warn_of_dropped_rows(split)

    def load_data(self) -> TaskData:
        """Return the splits as datasets of mmdet or mmpose."""
        from adapt_core.distributed.devices import first_device

        from adapt_vision_mm.openmmlab.optimizer import refuse_impossible_amp

        refuse_impossible_amp(self.plan, first_device(self.plan))
        datasets = {name: self._datasets.of(split, training=name == "train") for name, split in self.splits.items()}
        further = {name: self._datasets.of(split, training=False) for name, split in self.further.items()}
        also = {"also": {name: split.stats() for name, split in self.further.items()}} if further else {}
        return TaskData(
            train=datasets["train"],
            validation=datasets.get("val"),
            test=datasets.get("test"),
            labels=self.splits["train"].names,
            facts={"categories": categories_to_data(self.splits["train"].categories)},
            stats={**{name: split.stats() for name, split in self.splits.items()}, **also},
            further=further,
            subsets=[(dataset, further_split(name)) for name, dataset in further.items()],
            examples=lambda: {PLACE_NAMES[name]: split.examples() for name, split in self.splits.items()},
        )

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Return the config's model, with heads for the data's classes and the weights that fit."""
        if data.train is None:
            # A finished run: its classes are known, and its data may be gone.
            categories = categories_from_data(data.facts.get("categories"))
            self._classes = AnnotatedSplit(source="the adapter's data.json", images=(), categories=categories)
        loaded = self.models.build(quantizer, world.device)
        self.hold_facts(loaded.model, data)
        return loaded

    def load_structure(self, data: TaskData) -> LoadedModel:
        """Return the real model: detectors are small, and their shapes depend on values."""
        return self.load_model(data, None, World())

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """Return the names of the heads that follow backbone and neck."""
        return head_names(model)

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """Return True: a detector's head is specific to its data."""
        return True

    def make_loop(self, job: Job) -> Loop:
        """Return mmengine's Runner, with this task's metrics."""
        from adapt_vision_mm.openmmlab.loop import MmLoop, RunnerComponents
        from adapt_vision_mm.openmmlab.repeats import repeated_images

        return MmLoop(
            job,
            RunnerComponents(
                config=self.models.adapted.config,
                package=self._components.package,
                scorer=self._components.scorer,
                loss_dataset=self._datasets.of_losses,
                base_batch_size=self.models.adapted.base_batch_size,
                shares=repeated_images(job.data.train, self.plan.task.params),
            ),
        )

    def measured_activations(self, model: nn.Module, data: TaskData) -> int:
        """Measure what a real forward pass of two training images keeps, and scale it to BATCH_SIZE."""
        from adapt_vision_mm.openmmlab.activation_memory import activation_bytes

        return activation_bytes(model, data.train, min(_MEASURED_IMAGES, len(data.train)), self.plan.training)

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Count the training objects of each class."""
        train = self.splits["train"]
        counts = train.count_by_category()
        return {category.name: counts[category.id] for category in train.categories}

    def data_formats(self) -> Mapping[str, Recognised]:
        """Return the format of each split; one that was held out has that of the training split."""
        return {name: split.recognised for name, split in self.splits.items() if split.recognised is not None}

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """Return at most `count` training images with their sizes, and their objects with class and box."""
        train = self.splits["train"]
        return [train.told(number) for number in spread(len(train.images), count)]

    def drawn_examples(self, data: TaskData, count: int) -> bytes:
        """Draw a few training images as the model sees them in the first epoch, with their annotations."""
        from adapt_vision_mm.openmmlab.preview import training_preview

        return training_preview(data.train, count, self._components.renderer)

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Draw a few validation images, with their annotations and with the model's predictions."""
        from adapt_vision_mm.openmmlab.preview import validation_samples

        scorer, renderer = self._components.scorer, self._components.renderer
        return validation_samples(model, data.validation, count, scorer, renderer, self._least(data))

    def drawn_rows(self, data: TaskData, rows: EvaluatedRows, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Draw validation images, with their annotations and with what an evaluation predicted."""
        from adapt_vision_mm.openmmlab.preview import evaluated_images

        split: AnnotatedSplit = data.validation.annotated
        return evaluated_images(split, rows, positions, self._components.renderer, self._least(data))

    def _least(self, data: TaskData) -> Callable[[CocoResult], float]:
        ids = [category.id for category in self._classes.categories]
        return least_score(self.plan.task.params.score_threshold, ids, data.facts.get(THRESHOLDS, ()))

    def row_contents(self, data: TaskData, positions: Sequence[int]) -> Iterable[str]:
        """Return digests of the files of validation images."""
        images = data.validation.annotated.images
        return (image_digest(images[position].path) for position in positions)

    def evaluated_facts(self, found: Evaluated, data: TaskData) -> Mapping[str, Any]:
        """Return the score of each class with the best F1; nothing of poses."""
        least = None if found.table is None else found.table.figures.get("threshold")
        return {} if least is None else {THRESHOLDS: [float(score) for score in least]}

    def decisions(self, found: Evaluated, data: TaskData) -> Decisions:
        """Return the same by class."""
        if THRESHOLDS not in data.facts:
            return Decisions()
        names = (category.name for category in self._classes.categories)
        return Decisions(tuned={THRESHOLDS: {"of": dict(zip(names, data.facts[THRESHOLDS], strict=True))}})

    def hold_facts(self, model: nn.Module, data: TaskData) -> None:
        """Write the thresholds into the model's `dataset_meta`, which its checkpoint has."""
        module: Any = model
        module.dataset_meta.pop(THRESHOLDS, None)
        if THRESHOLDS in data.facts:
            module.dataset_meta[THRESHOLDS] = list(data.facts[THRESHOLDS])

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Write weights by SAVE_METHOD, and a checkpoint and config that plain OpenMMLab loads."""
        from adapt_vision_mm.openmmlab.model_folder import save

        save(model, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        """Load the model that `save_model` wrote."""
        from adapt_vision_mm.openmmlab.model_folder import load

        trusted = self.plan.model.trust_remote_code
        require_plain(folder / CONFIG, trusted=trusted)
        availability.import_openmmlab(self._components.package)
        with availability.quiet_warnings():
            return load(folder, self._components.package, trusted=trusted)

    def import_model_classes(self) -> None:
        """Import mmdet (mmpose) with its replacements for what does not install everywhere."""
        availability.import_openmmlab(self._components.package)

    def loading_lines(self, save_method: str) -> str:
        """Return Python source that loads model and config with plain OpenMMLab."""
        from adapt_vision_mm.openmmlab.model_folder import loading_lines

        return loading_lines(save_method, self._components.package)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return one mapping per image; see the task's `predict` module. Drawings go to `predictions/` of the run."""
        paths = [Path(item) for item in inputs]
        found = self._components.predictor.predict(model, paths, fresh_predictions(folder.parent, paths))
        seal_predictions(folder.parent)
        return found

    def test_inputs(self) -> Table | None:
        """Return the images of the test split, with or without annotations; None where the data has none."""
        from adapt_vision_mm.openmmlab.predicted_split import images_of_test_split

        return images_of_test_split(self.plan, self.splits, self._components.data)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return image files, the images of folders, and the paths in .txt and .jsonl lists.

        Raises:
            InputError: an image is missing or truncated, or a folder has none.
        """
        from adapt_vision_mm.images.inputs import read_image_inputs

        return list(read_image_inputs(arguments, image_defect))
