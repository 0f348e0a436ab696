"""One class for each image, with any timm model or Hugging Face image classifier."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.hf.data.source import check_data_source
from adapt_core.hf.models.pretrained import check_source

from adapt_vision_mm.image_classification.library import TIMM, Choice, choose
from adapt_vision_mm.image_classification.processors import locate_processor
from adapt_vision_mm.images.folders import find_split_folders
from adapt_vision_mm.params import DEFAULT_PROCESSOR

if TYPE_CHECKING:
    from torch import nn

    from adapt_vision_mm.image_classification.transforms import Transforms

log = logging.getLogger(__name__)


class ImageClassification:
    """The task image_classification."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @cached_property
    def choice(self) -> Choice:
        """The model and its library."""
        return choose(self.plan)

    @property
    def is_timm(self) -> bool:
        """Whether the model is timm's."""
        return self.choice.library == TIMM

    def check(self) -> None:
        """Data, model and processor are there, and no key contradicts another."""
        plan = self.plan
        weights = plan.task.params.class_weights
        if isinstance(weights, str) and weights.casefold() != "balanced":
            raise InputError(f"CLASS_WEIGHTS must be balanced or a mapping of class to weight; not {weights!r}.")
        if plan.data.format_string:
            raise InputError("FORMAT_STRING builds a text from columns, and image_classification reads images.")
        if find_split_folders(plan.data) is None:
            check_data_source(plan.data)
        if not self.is_timm and self.choice.source is not None:
            check_source(self.choice.source, (), "")
        if plan.task.params.image_processor_path != DEFAULT_PROCESSOR:
            locate_processor(plan.task.params.image_processor_path)
        if plan.run.push_to_hub:
            from adapt_core.hf.models.hub import require_push

            require_push(plan.run.push_to_hub)

    def load_data(self) -> TaskData:
        """The splits as `ImageDataset`s: `pixel_values` (3, height, width) and `labels`."""
        from adapt_vision_mm.image_classification.dataset import ImageDataset
        from adapt_vision_mm.image_classification.rows import load_rows

        if self.is_timm:
            from adapt_vision_mm.image_classification.timm_models import check_model

            check_model(self.choice, self.plan)
        if self.plan.training.group_by_length:
            log.info("GROUP_BY_LENGTH has no effect on images: all are of one size.")
        rows = load_rows(self.plan)
        transforms = self.transforms
        splits: dict[str, Any] = {}
        for split in rows.splits:
            images, ids = rows.columns(split)
            if split == "train":
                seed = self.plan.training.seed if self.plan.task.params.augmentation else None
                splits[split] = ImageDataset(images, ids, transforms.train, rows.base, seed)
            else:
                splits[split] = ImageDataset(images, ids, transforms.evaluate, rows.base)
        return TaskData(labels=rows.labels.names, stats=rows.stats, **splits)

    @cached_property
    def transforms(self) -> Transforms:
        """What turns images into the model's inputs."""
        from adapt_vision_mm.image_classification import transforms

        augmentation = self.plan.task.params.augmentation
        if self.is_timm:
            return transforms.timm_transforms(self._timm_config, augmentation)
        return transforms.processor_transforms(self._processor, augmentation)

    @cached_property
    def _processor(self) -> Any:
        from adapt_vision_mm.image_classification.hf_models import processor_of

        return processor_of(self.choice, self.plan)

    @cached_property
    def _timm_config(self) -> dict[str, Any]:
        from adapt_vision_mm.image_classification.hf_models import named_processor
        from adapt_vision_mm.image_classification.timm_models import data_config_of
        from adapt_vision_mm.image_classification.transforms import timm_config_of

        config = data_config_of(self.choice)
        processor = named_processor(self.plan)
        if processor is not None:
            config = {**config, **timm_config_of(processor, self.plan.task.params.image_processor_path)}
        return config

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """A classifier with one logit for each class of the data."""
        names = data.labels or ()
        if not self.is_timm:
            from adapt_vision_mm.image_classification import hf_models

            return hf_models.make_model(self.choice, self.plan, names, quantizer, world)
        from adapt_vision_mm.image_classification import timm_models

        loaded = timm_models.make_model(self.choice, self.plan, names, self._timm_config)
        if quantizer is not None:
            quantizer.convert(loaded.model, self.head(loaded.model), world.device)
        return loaded

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """The classifier, found by the model's structure."""
        from adapt_core.nn.structure import find_head

        return find_head(model)

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """The classifier trains beside an adapter."""
        return True

    def make_loop(self, job: Job) -> Loop:
        """A Trainer on images."""
        from adapt_core.hf.data.labels import class_weights
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop
        from adapt_core.hf.loop.losses import weighted_cross_entropy
        from adapt_core.hf.loop.per_class import class_table

        from adapt_vision_mm.image_classification.dataset import collate
        from adapt_vision_mm.image_classification.metrics import METRICS, best_five, classification_metrics

        labels = job.data.train.labels if job.data.train is not None else ()
        wanted = self.plan.task.params.class_weights if labels else None
        weights = class_weights(wanted, labels, job.data.labels or ())
        arguments: dict[str, Any] = {
            "label_names": ["labels"],
            "remove_unused_columns": False,  # the rows hold nothing else
            "train_sampling_strategy": "random",
        }
        if self.is_timm:
            arguments["activation_checkpointing"] = False  # timm's own is on, see timm_models
        parts = TrainerComponents(
            collate=collate,
            compute_metrics=classification_metrics,
            metrics=METRICS,
            per_class=lambda prediction, _rows: class_table(
                prediction.label_ids, prediction.predictions[:, 0], job.data.labels or ()
            ),
            preprocess_logits=best_five,
            compute_loss=weighted_cross_entropy(weights) if self.is_timm or weights else None,
            processing_class=None if self.is_timm else self._processor,
            trainer_class=f"{__package__}.trainer:{'TimmTrainer' if self.is_timm else 'ImageTrainer'}",
            arguments=arguments,
        )
        return HuggingFaceLoop(job, parts)

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """A few validation images with their class, and the model's with its probability."""
        from adapt_vision_mm.image_classification.showing import validation_samples

        return validation_samples(model, data.validation, data.labels or (), count)

    def load_structure(self, data: TaskData) -> LoadedModel:
        """The model without its weights, which are read first: image classifiers are small."""
        loaded = self.load_model(data, None, World())
        loaded.model.to("meta")
        return loaded

    def largest_batch(self, data: TaskData) -> Mapping[str, Any]:
        """The first training images: all are of one size."""
        from adapt_vision_mm.image_classification.dataset import collate

        rows = min(self.plan.training.batch_size, len(data.train))
        batch = collate([data.train[row] for row in range(rows)])
        return {"x": batch["pixel_values"]} if self.is_timm else batch

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Training images of each class."""
        counts = Counter(map(int, data.train.labels))
        return {name: counts[number] for number, name in enumerate(data.labels or ())}

    def drawn_examples(self, data: TaskData, count: int) -> bytes:
        """A few training images as the model sees them, with their class."""
        from adapt_vision_mm.image_classification.showing import training_images

        return training_images(data.train, data.labels or (), count)

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Weights, model config with the labels, and preprocessing."""
        if self.is_timm:
            from adapt_vision_mm.image_classification.timm_models import save_model

            save_model(model, folder, save_method)
            return
        from adapt_core.hf.models.save_formats import save_hf_model

        save_hf_model(model, self._processor, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        """The model that `save_model` wrote."""
        if self.is_timm:
            from adapt_vision_mm.image_classification.timm_models import load_folder

            return load_folder(folder)
        from transformers import AutoModelForImageClassification

        from adapt_core.hf.models.save_formats import load_hf_model

        model: nn.Module = load_hf_model(AutoModelForImageClassification, folder)
        return model

    def loading_lines(self, save_method: str) -> str:
        """Loads model and preprocessing, and shows how to classify an image."""
        if self.is_timm:
            from adapt_vision_mm.image_classification.timm_models import loading_lines

            return loading_lines(save_method)
        from adapt_core.hf.models.save_formats import loading_lines as hf_loading_lines

        from adapt_vision_mm.image_classification.hf_models import AUTO_CLASS

        use = [
            "# from PIL import Image",
            '# inputs = processor(images=Image.open("photo.jpg").convert("RGB"), return_tensors="pt")',
            "# model.config.id2label[int(model(**inputs).logits.argmax())]",
        ]
        return "\n".join([hf_loading_lines(AUTO_CLASS, "AutoImageProcessor", "processor", save_method), *use])

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each image {"image", "label", "score", "top": the five best as {label: score}, "drawn": a copy}."""
        from adapt_vision_mm.image_classification.predicting import classify

        output = folder.parent / "predictions"
        if self.is_timm:
            from adapt_vision_mm.image_classification.timm_models import data_config
            from adapt_vision_mm.image_classification.transforms import timm_transforms

            config: Any = model.pretrained_cfg
            transform = timm_transforms(data_config(model), augmentation=False).evaluate
            return classify(model, transform, list(config["label_names"]), inputs, output)
        from transformers import AutoImageProcessor

        from adapt_vision_mm.image_classification.transforms import Processed

        saved = folder.is_dir()
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True) if saved else self._processor
        names: Any = model.config
        return classify(
            model, Processed(processor), [name for _, name in sorted(names.id2label.items())], inputs, output
        )

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Image files, every image in folders, and the paths in .txt and .jsonl lists."""
        from functools import partial

        from adapt_vision_mm.images.decoder import find_defect
        from adapt_vision_mm.images.inputs import read_image_inputs

        return list(read_image_inputs(arguments, partial(find_defect, decode=False)))
