"""What a backend does: everything about a model that depends on the library it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import attrs

from adapt_core.plugin.import_strings import PACKAGE_PREFIX

if TYPE_CHECKING:
    import torch
    from torch import nn

    from adapt_core.config.plan import Plan
    from adapt_core.contracts import LoadedModel, Quantizer
    from adapt_core.distributed.world import World
    from adapt_core.hf.models.location import ModelSource
    from adapt_core.hf.problems.problem import Problem

    from adapt_vision_mm.image_classification.params import Augmentation, ImageClassificationParams
    from adapt_vision_mm.image_classification.transforms import Transform, Transforms


WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")
"""Suffixes of files of weights."""

_BARE_NAME = re.compile(r"[\w-]+(\.[\w-]+)*")


def is_bare_name(given: str) -> bool:
    """Return whether a value of MODEL_PATH can be the name of an architecture: neither a path nor a hub id."""
    return (
        _BARE_NAME.fullmatch(given) is not None
        and not given.startswith(PACKAGE_PREFIX)
        and not Path(given).expanduser().exists()
        and Path(given).suffix not in WEIGHT_SUFFIXES
    )


@attrs.frozen(kw_only=True)
class LocatedModel:
    """The source of a model.

    Attributes:
        source: a folder, a file of weights, or a hub id; None for a bare name of an architecture.
        config: the config.json of a folder; empty elsewhere.
    """

    source: ModelSource | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)


class Backend(Protocol):
    """Models of one library. Constructed before torch is imported; modules of backends import nothing heavy.

    Attributes:
        library: its name in LIBRARIES.
        hub_library: the hub's name of the library that loads a saved model.
        trainer_class: "package.module:Class" of the Trainer.
        training_arguments: further arguments of transformers' TrainingArguments.
        returns_loss: whether a model in training returns its loss with its logits.
    """

    library: ClassVar[str]
    hub_library: ClassVar[str]
    trainer_class: ClassVar[str]
    training_arguments: ClassVar[Mapping[str, Any]]
    returns_loss: ClassVar[bool]

    def __init__(self, plan: Plan[ImageClassificationParams], model: LocatedModel) -> None:
        """Construct the backend.

        Raises:
            InputError: the config does not name a model of this library.
        """

    def check_keys(self) -> None:
        """Check that FRAMEWORK and model_type agree with the model, as far as that needs no torch.

        Raises:
            InputError: they contradict the model.
        """

    def check_files(self) -> None:
        """Check that the model can be loaded, as far as that needs no torch.

        Raises:
            InputError: a folder is incomplete, or a hub id cannot be reached.
        """

    def check_model(self) -> None:
        """Check with the library that the model exists, before the data is loaded.

        Raises:
            InputError: it does not.
        """

    def make_transforms(self, augmentation: Augmentation | None) -> Transforms:
        """Return the transforms of images into inputs of the model.

        Args:
            augmentation: of the training images; None for none.

        Raises:
            InputError: image_processor_path names no image processor.
        """

    def load_model(self, names: tuple[str, ...], quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load an image classifier with one output per name, quantized if a quantizer is given.

        Args:
            names: of the labels or numbers, by id.
            quantizer: of the plan.
            world: of this process.

        Raises:
            InputError: the model cannot be loaded, or does not agree with the config.
        """

    @property
    def processing_class(self) -> Any:
        """The image processor that the Trainer saves with checkpoints, or None."""

    def model_inputs(self, batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return the keyword arguments of the model's `forward` for a batch."""

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Write weights, config with the labels, and preprocessing, as the library itself does."""

    def load_model_folder(self, folder: Path) -> nn.Module:
        """Load what `save_model` wrote in any form but `full_torch_model`, in evaluation mode."""

    def loading_lines(self, save_method: str, problem: Problem) -> str:
        """Return Python source that loads `model/` without adapt and classifies an image."""

    def save_beside_adapter(self, model: nn.Module, folder: Path) -> None:
        """Write labels and preprocessing beside an adapter, as the library itself does."""

    def adapter_loading_lines(self, adapter: Path, problem: Problem) -> str:
        """Return Python source that loads base and adapter with plain peft and classifies an image."""

    def write_problem(self, model: nn.Module, problem: Problem) -> None:
        """Keep with a model, attached or not, what its outputs mean; the model has the labels already."""

    def saved_problem(self, model: nn.Module) -> Problem:
        """Return what the outputs of a model mean that `load_model_folder` loaded."""

    def saved_transform(self, model: nn.Module, folder: Path) -> Transform:
        """Return the transform for evaluation of a saved model.

        Args:
            model: what `load_model_folder` returned (or an attached one).
            folder: the `model/` folder; it may be missing where the model is still in memory.
        """
