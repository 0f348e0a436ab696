"""The backend of Hugging Face image classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from adapt_core.config.plan import Plan
from adapt_core.contracts import LoadedModel, Quantizer
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.hf.problems.outputs import read_problem, write_problem

from adapt_vision_mm.image_classification.backends.base import Backend, LocatedModel
from adapt_vision_mm.image_classification.defaults import DEFAULT_MODEL_TYPE, TIMM_SUFFIX
from adapt_vision_mm.image_classification.params import Augmentation, ImageClassificationParams
from adapt_vision_mm.image_classification.problems import PROBLEMS
from adapt_vision_mm.images.usage import READ_PHOTO

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers.image_processing_utils import BaseImageProcessor

    from adapt_core.hf.problems.problem import Problem

    from adapt_vision_mm.image_classification.transforms import Transform, Transforms


def _usage(problem: Problem) -> str:
    """Return comments that classify a photo with `model` and `processor`."""
    use = problem.use("model(**inputs).logits", "model.config.id2label", "model.config.{}")
    lines = ['inputs = processor(images=photo, return_tensors="pt")', *use]
    return "\n".join([READ_PHOTO, *(f"# {line}" for line in lines)])


class HuggingFaceBackend(Backend):
    """transformers' image classifiers, from a folder or the hub.

    Attributes:
        source: where the model comes from.
    """

    library: ClassVar[str] = "huggingface"
    hub_library: ClassVar[str] = "transformers"
    trainer_class: ClassVar[str] = "adapt_vision_mm.image_classification.trainer:ImageTrainer"
    training_arguments: ClassVar[Mapping[str, Any]] = {}
    returns_loss: ClassVar[bool] = True

    def __init__(self, plan: Plan[ImageClassificationParams], model: LocatedModel) -> None:
        if model.source is None:
            raise InputError(
                f"MODEL_PATH: {plan.model.model_path} is neither a directory nor a hub id (ORG/NAME). Correct it."
            )
        self.plan = plan
        self.source = model.source
        self._config = model.config

    def check_keys(self) -> None:
        params = self.plan.task.params
        if params.framework not in (None, self.library):
            kind = self._config.get("model_type", "model")
            raise InputError(
                f"FRAMEWORK: {params.framework} contradicts {self.source.given}, which is a Hugging Face {kind}."
                " Leave FRAMEWORK out."
            )
        if params.model_type != DEFAULT_MODEL_TYPE and params.model_type.endswith(TIMM_SUFFIX):
            raise InputError(
                f"model_type: {params.model_type} contradicts {self.source.given}, which is a Hugging Face model."
                " Leave model_type out."
            )

    def check_files(self) -> None:
        from adapt_core.hf.models.pretrained import check_source

        check_source(self.source, (), "")

    def check_model(self) -> None:
        """Do nothing: `check_files` has checked all that can be known before the weights are read."""

    @cached_property
    def processing_class(self) -> BaseImageProcessor:
        """The image processor: of image_processor_path, or the model's own."""
        from adapt_vision_mm.image_classification.backends.hugging_face.models import load_processor

        return load_processor(self.source, self.plan)

    def make_transforms(self, augmentation: Augmentation | None) -> Transforms:
        from adapt_vision_mm.image_classification.backends.hugging_face.preprocessing import processor_transforms

        return processor_transforms(self.processing_class, augmentation)

    def load_model(self, names: tuple[str, ...], quantizer: Quantizer | None, world: World) -> LoadedModel:
        from adapt_vision_mm.image_classification.backends.hugging_face.models import make_model

        return make_model(self.source, self.plan, names, quantizer, world)

    def model_inputs(self, batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        return batch

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        from adapt_core.hf.models.save_formats import save_hf_model

        save_hf_model(model, self.processing_class, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        from transformers import AutoModelForImageClassification

        from adapt_core.hf.models.save_formats import load_hf_model

        model: nn.Module = load_hf_model(
            AutoModelForImageClassification, folder, trust=self.plan.model.trust_remote_code
        )
        return model

    def loading_lines(self, save_method: str, problem: Problem) -> str:
        from adapt_core.hf.models.save_formats import loading_lines

        lines = loading_lines("AutoModelForImageClassification", "AutoImageProcessor", "processor", save_method)
        return f"{lines}\n{_usage(problem)}"

    def save_beside_adapter(self, model: nn.Module, folder: Path) -> None:
        from adapt_core.hf.models.adapters import save_beside_adapter

        save_beside_adapter(model, self.processing_class, folder)

    def adapter_loading_lines(self, adapter: Path, problem: Problem) -> str:
        from adapt_core.hf.models.adapters import adapter_loading_lines

        names = ("AutoModelForImageClassification", "AutoImageProcessor", "processor")
        return "\n".join([*adapter_loading_lines(*names, adapter), _usage(problem)])

    def write_problem(self, model: nn.Module, problem: Problem) -> None:
        write_problem(model.config, problem)

    def saved_problem(self, model: nn.Module) -> Problem:
        return read_problem(model.config, PROBLEMS)

    def saved_transform(self, model: nn.Module, folder: Path) -> Transform:
        from transformers import AutoImageProcessor

        from adapt_core.hf.models.pretrained import guarded

        from adapt_vision_mm.image_classification.backends.hugging_face.preprocessing import ProcessorTransform

        if not folder.is_dir():
            return ProcessorTransform(self.processing_class)
        trust = self.plan.model.trust_remote_code
        load = partial(AutoImageProcessor.from_pretrained, folder, local_files_only=True, trust_remote_code=trust)
        return ProcessorTransform(guarded(str(folder), load))
