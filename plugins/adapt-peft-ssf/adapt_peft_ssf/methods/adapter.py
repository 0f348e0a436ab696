"""The base of the adapter methods: a peft adapter on any module, its files, and its merge."""

from __future__ import annotations

import logging
import pickle
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import torch
from peft import PeftConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from torch import nn
from torch.utils.hooks import RemovableHandle

from adapt_core.contracts import AttachContext, Quantizer
from adapt_core.distributed.sharding import restored_requires_grad
from adapt_core.errors import DefectError, InputError
from adapt_core.methods.requires_grad import hold_batch_norms, hold_blocks_before
from adapt_core.nn.structure import untie_head
from adapt_core.nn.weight_decay import keep_scales

from adapt_peft_ssf.methods import peft_models
from adapt_peft_ssf.methods.heads import modules_to_save
from adapt_peft_ssf.methods.targets import as_peft_targets, select_targets, sharing
from adapt_peft_ssf.params import TargetParams
from adapt_peft_ssf.weights import is_foreign_quantized_layer

log = logging.getLogger(__name__)

TargetParamsT = TypeVar("TargetParamsT", bound=TargetParams)


_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    SafetensorError,
    pickle.UnpicklingError,
)
"""What peft, safetensors and torch raise for a folder whose files hold something else than the model's adapter."""


class AdapterMethod(ABC, Generic[TargetParamsT]):
    """A method that adds an adapter to frozen layers and trains the head in full."""

    name: str

    def __init__(self, params: TargetParamsT) -> None:
        self.params = params
        self._held: list[RemovableHandle] = []

    @abstractmethod
    def make_config(self, targets: list[str] | str, layers: Sequence[nn.Module], saved: list[str]) -> PeftConfig:
        """Return the peft config of this method.

        Args:
            targets: `target_modules`, resolved.
            layers: the modules that it names.
            saved: `modules_to_save`.
        """

    @abstractmethod
    def by_default(self, module: nn.Module) -> bool:
        """Return whether a module is of a kind that is adapted where target_modules does not say."""

    @abstractmethod
    def refusal(self, module: nn.Module) -> str | None:
        """Return why this method cannot adapt a module, or None where it can."""

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Freeze the base and attach the adapter to the target modules; new heads train in full.

        Raises:
            InputError: target_modules matches nothing, or peft cannot serve this model.
        """
        self.check_params(context)
        params = self.params
        if not params.auto_select_modules and not params.target_modules:
            raise InputError("auto_select_modules: false needs target_modules, the names of the layers to adapt.")
        if context.quantized and not params.target_modules:
            self._refuse_foreign_layers(model)
        further = self.further_modules(model, context)
        saved = modules_to_save(model, context, self.name, further)
        spared = [*context.head, *saved]
        targets = select_targets(model, params.target_modules, spared, self.by_default, self.refusal, self.name)
        targets = self._without_saved(self.narrow(targets), saved)
        shared = sharing(model)
        adapted_heads = [name for name in context.head if {name, *shared.get(name, ())} & set(targets)]
        for untied in untie_head(model, [*[name for name in context.head if name in saved], *adapted_heads]):
            log.info(
                "the head %s shared its weight with the embeddings; it is untied so that it can be trained separately.",
                untied,
            )
        layers = [model.get_submodule(name) for name in targets]
        config = self.make_config(as_peft_targets(targets, model), layers, saved)
        return self.finish(self._guarded(lambda: peft_models.attach(model, config)), context, further)

    def go_on(self, model: nn.Module, context: AttachContext, folder: Path) -> nn.Module:
        """Attach the adapter of a folder to its base model, to train it further.

        Raises:
            InputError: the folder is damaged, or its adapter is for another model.
        """
        self.check_params(context)
        further = self.further_modules(model, context)
        with _readable(self.name, folder):
            _untie_adapted_head(model, folder)
            attached = self.finish(peft_models.attach(model, peft_models.trainable_config(folder)), context, further)
            peft_models.load_state(attached, folder)
        return attached

    def finish(self, attached: nn.Module, context: AttachContext, further: Sequence[str]) -> nn.Module:
        """Choose what of a freshly attached model trains, and return it. Overridden where layers are changed further.

        Args:
            attached: with the adapter's first values.
            context: as of `attach`.
            further: full names of the modules that train by a parameter of the method.
        """
        for name, parameter in attached.named_parameters():
            plain = peft_models.plain_name(name)
            if peft_models.in_saved_module(name) and not (context.trains(plain) or _below(plain, further)):
                parameter.requires_grad_(False)
        keep_scales(attached, list(self.trainable_groups(attached)["adapter"]))
        self._held = hold_batch_norms(attached)
        first = _first_trained(attached)
        if isinstance(first, BaseTunerLayer) and not self.params.frozen_dropout:
            self._held += hold_blocks_before(attached, first)
        return attached

    def check_params(self, context: AttachContext) -> None:
        """Refuse parameters that are wrong for every model. Overridden where there are any."""

    def further_modules(self, model: nn.Module, context: AttachContext) -> list[str]:
        """Return full names of the modules that train in full by a parameter of the method."""
        return []

    def narrow(self, targets: list[str]) -> list[str]:
        """Return the targets that the method's own parameters leave."""
        return targets

    def _refuse_foreign_layers(self, model: nn.Module) -> None:
        for name, module in model.named_modules():
            if is_foreign_quantized_layer(module):
                raise InputError(
                    f"method {self.name} cannot adapt the quantized layers of this model: {name} is of class "
                    f"{type(module).__name__}, which is not a subclass of torch.nn.Linear. Name other layers in "
                    "target_modules, or use method last_layer."
                )

    def _without_saved(self, targets: list[str], saved: Sequence[str]) -> list[str]:
        prefixes = tuple(f"{name}." for name in saved)
        left = [name for name in targets if name not in saved and not name.startswith(prefixes)]
        if not left:
            raise InputError(
                f"target_modules names only the head ({', '.join(saved)}), which trains in full. "
                "Name layers before it, or use method last_layer."
            )
        return left

    def _guarded(self, attach: Callable[[], nn.Module]) -> nn.Module:
        try:
            with _quiet_about_transposed_layers():
                model = attach()
        except peft_models.UNSUITABLE as error:  # also KeyError and the like, for what it does not check
            raise InputError(
                f"method {self.name} cannot be attached to this model: {peft_models.reason(error)}"
                " (Choose other target_modules, or another method.)"
            ) from error
        return model

    def trainable_groups(self, model: nn.Module) -> Mapping[str, Sequence[str]]:
        """Return the parameters of the adapter, and those of the head."""
        trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        head = [name for name in trainable if peft_models.in_saved_module(name)]
        return {"adapter": [name for name in trainable if name not in set(head)], "head": head}

    @contextmanager
    def disable_adapter(self, model: nn.Module) -> Iterator[None]:
        """Switch the adapter off; the head stays as it is."""
        layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
        with restored_requires_grad(model):
            # peft freezes what it switches off, but FSDP fixes the type of gradients at its first forward pass.
            with restored_requires_grad(model):
                for layer in layers:
                    layer.enable_adapters(False)
            try:
                yield
            finally:
                for layer in layers:
                    layer.enable_adapters(True)

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Write adapter_config.json and adapter_model.safetensors, which plain peft loads."""
        peft_models.save(model, folder)
        return True

    def load_adapter(self, model: nn.Module, folder: Path) -> nn.Module:
        """Attach the adapter of a folder to its base model, quantized or not.

        Raises:
            InputError: the folder is damaged, or its adapter is for another model.
        """
        with _readable(self.name, folder):
            if not isinstance(model, PeftModel):
                _untie_adapted_head(model, folder)
            return peft_models.load(model, folder)

    def merge(self, model: nn.Module, quantizer: Quantizer | None) -> nn.Module:
        """Return the trained model as a plain one, its base dequantized where a quantizer is given.

        Raises:
            InputError: an adapter cannot be merged into its layer, or has values that are not finite.
            DefectError: a class of peft or of this package is left.
        """
        for handle in self._held:
            handle.remove()
        self._held = []
        try:
            plain = peft_models.merge(model, quantizer)
        except (ValueError, NotImplementedError) as error:
            raise InputError(
                f"the {self.name} adapter cannot be merged: {' '.join(str(error).split())}"
                " (Set MERGE_ADAPTER: false to keep the adapter alone.)"
            ) from error
        left = sorted(
            {type(m).__name__ for m in plain.modules() if type(m).__module__.startswith(("peft", __package__))}
        )
        if left:
            raise DefectError(f"classes of peft are left in the merged model: {', '.join(left)}.")
        return plain


def _first_trained(attached: nn.Module) -> nn.Module | None:
    """Return the first module that trains, by the order of definition: an adapter's layer, or another."""
    for module in attached.modules():
        deep = isinstance(module, BaseTunerLayer)
        if any(parameter.requires_grad for parameter in module.parameters(recurse=deep)):
            return module
    return None


@contextmanager
def _readable(method: str, folder: Path) -> Iterator[None]:
    """Turn what peft raises for a damaged folder, or for one of another model, into an error in the input."""
    try:
        with _quiet_about_transposed_layers():
            yield
    except torch.OutOfMemoryError:
        raise  # a RuntimeError, and no fault of the folder
    except _UNREADABLE as error:
        raise InputError(
            f"the {method} adapter in {folder} cannot be loaded: "
            f"{' '.join(str(error).split())[:300] or type(error).__name__} (Restore it, or run again.)"
        ) from error


@contextmanager
def _quiet_about_transposed_layers() -> Iterator[None]:
    """Hide peft's warning that it sets fan_in_fan_out by the kind of a layer, which is what is wanted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        yield


def _below(name: str, modules: Sequence[str]) -> bool:
    return any(name.startswith(f"{module}.") for module in modules)


def _untie_adapted_head(model: nn.Module, folder: Path) -> None:
    """Untie output layer and embeddings where one of them is adapted, so that a merge leaves the other as it is."""
    output = getattr(model, "get_output_embeddings", lambda: None)()
    name = next((name for name, module in model.named_modules() if output is not None and module is output), None)
    if name is None:
        return
    targets = PeftConfig.from_pretrained(str(folder)).target_modules
    tied = (name, *sharing(model).get(name, ()))
    if isinstance(targets, str):
        targeted = {part.replace("\\", "") for part in targets.split("|")} & set(tied)
    else:
        targeted = {n for n in tied for target in targets or () if n == target or n.endswith(f".{target}")}
    if targeted:
        untie_head(model, [name])
