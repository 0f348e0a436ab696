"""The backend of timm models."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from adapt_core.config.plan import Plan
from adapt_core.contracts import LoadedModel, Quantizer
from adapt_core.distributed.world import World
from adapt_core.errors import InputError

from adapt_vision_mm.image_classification.backends.base import Backend, LocatedModel
from adapt_vision_mm.image_classification.backends.timm.reference import TimmReference
from adapt_vision_mm.image_classification.defaults import DEFAULT_MODEL_TYPE, TIMM_SUFFIX
from adapt_vision_mm.image_classification.params import Augmentation, ImageClassificationParams

if TYPE_CHECKING:
    import torch
    from torch import nn

    from adapt_core.hf.problems.problem import Problem

    from adapt_vision_mm.image_classification.transforms import Transform, Transforms


log = logging.getLogger(__name__)


class TimmBackend(Backend):
    """timm models: by architecture, from a folder or file of weights, or from the hub.

    Attributes:
        reference: the architecture, and where its weights come from.
    """

    library: ClassVar[str] = "timm"
    hub_library: ClassVar[str] = "timm"
    trainer_class: ClassVar[str] = f"{__package__}.trainer:TimmTrainer"
    # GRADIENT_CHECKPOINTING switches timm's own on instead, see `make_model`.
    training_arguments: ClassVar[Mapping[str, Any]] = {"activation_checkpointing": False}
    returns_loss: ClassVar[bool] = False

    def __init__(self, plan: Plan[ImageClassificationParams], model: LocatedModel) -> None:
        self.plan = plan
        self.reference = TimmReference.of(plan, model)

    def check_keys(self) -> None:
        model_type = self.plan.task.params.model_type
        architecture, kind = self.reference.architecture, model_type.removesuffix(TIMM_SUFFIX)
        if model_type != DEFAULT_MODEL_TYPE and architecture is not None and not architecture.startswith(kind):
            raise InputError(
                f"model_type: {model_type} contradicts the timm architecture {architecture}. Leave model_type out."
            )

    def check_files(self) -> None:
        """Warn where no weights are loaded. The folder's config.json has been read, and `check_model` asks the hub."""
        params, model = self.plan.task.params, self.plan.model
        if self.reference.source is not None or params.load_model or model.model_checkpoint:
            return
        method = self.plan.method.name
        log.warning(
            "%s starts from random weights: load_model is false and LOCAL_MODEL_PATH is not set.%s --set "
            "load_model=true loads the weights that timm publishes.",
            self.reference.architecture,
            "" if method == "full" else f" Method {method} leaves most of them random: there is nothing to adapt.",
        )

    def check_model(self) -> None:
        from adapt_vision_mm.image_classification.backends.timm import models

        models.check_model(self.reference, published=self.plan.task.params.load_model)

    @cached_property
    def _data_config(self) -> dict[str, Any]:
        from adapt_vision_mm.image_classification.backends.timm.models import data_config_of
        from adapt_vision_mm.image_classification.backends.timm.preprocessing import processor_config
        from adapt_vision_mm.image_classification.processors import load_named_processor

        config = data_config_of(self.reference)
        processor = load_named_processor(self.plan)
        if processor is None:
            return config
        return {**config, **processor_config(processor, self.plan.task.params.image_processor_path)}

    def make_transforms(self, augmentation: Augmentation | None) -> Transforms:
        from adapt_vision_mm.image_classification.backends.timm.preprocessing import timm_transforms

        return timm_transforms(self._data_config, augmentation)

    def load_model(self, names: tuple[str, ...], quantizer: Quantizer | None, world: World) -> LoadedModel:
        from adapt_core.nn.structure import find_head, full_precision_modules

        from adapt_vision_mm.image_classification.backends.timm.models import make_model

        loaded = make_model(self.reference, self.plan, names, self._data_config)
        if quantizer is not None:
            whole = full_precision_modules(find_head(loaded.model), loaded.new_parameters)
            quantizer.convert(loaded.model, whole, world.device)
        return loaded

    @property
    def processing_class(self) -> None:
        """None: a timm model keeps its preprocessing in its `pretrained_cfg`."""

    def model_inputs(self, batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        return {"x": batch["pixel_values"]}

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        from adapt_vision_mm.image_classification.backends.timm import models

        models.save_model(model, folder, save_method)

    def load_model_folder(self, folder: Path) -> nn.Module:
        from adapt_vision_mm.image_classification.backends.timm.models import load_folder

        return load_folder(folder)

    def loading_lines(self, save_method: str, problem: Problem) -> str:
        from adapt_vision_mm.image_classification.backends.timm import models

        return models.loading_lines(save_method, problem)

    def save_beside_adapter(self, model: nn.Module, folder: Path) -> None:
        from adapt_vision_mm.image_classification.backends.timm import models

        models.save_config(model, folder)

    def adapter_loading_lines(self, adapter: Path, problem: Problem) -> str:
        from adapt_core.hf.models.adapters import registering_import

        from adapt_vision_mm.image_classification.backends.timm import adapters

        base = adapters.plain_base(self.plan, self.reference, self._data_config)
        return adapters.loading_lines(base, registering_import(adapter), problem) if base else adapters.NO_PLAIN_BASE

    def write_problem(self, model: nn.Module, problem: Problem) -> None:
        from adapt_vision_mm.image_classification.backends.timm import models

        models.write_problem(model, problem)

    def saved_problem(self, model: nn.Module) -> Problem:
        from adapt_vision_mm.image_classification.backends.timm import models

        return models.read_problem(model)

    def saved_transform(self, model: nn.Module, folder: Path) -> Transform:
        from adapt_vision_mm.image_classification.backends.timm.models import data_config
        from adapt_vision_mm.image_classification.backends.timm.preprocessing import timm_transforms

        return timm_transforms(data_config(model), None).evaluate
