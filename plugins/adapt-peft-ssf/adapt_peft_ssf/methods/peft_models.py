"""peft adapters on Hugging Face models and on any other module, with one file format.

A model that its own training loop must know by class (mmengine calls `train_step`) gets its adapter in place; every
other model is wrapped in a `PeftModel`, which transformers' Trainer knows. Both write the same files.
"""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from peft.utils import SAFETENSORS_WEIGHTS_NAME, ModulesToSaveWrapper
from safetensors.torch import load_file, save_file
from torch import nn

from adapt_core.contracts import Quantizer
from adapt_core.distributed.sharding import is_sharded

from adapt_peft_ssf.weights import has_plain_weight

ADAPTER = "default"
UNSUITABLE = (ValueError, NotImplementedError, TypeError, KeyError, AttributeError, IndexError, AssertionError)
"""What peft raises where a method meets a model or layer that it cannot adapt.

The first three come with a sentence. The others end methods that do not check what they are given: TINYLORA looks up a
convolution that it has left out (KeyError), SHADOW a transformer's attributes.
"""
_PREFIX = "base_model.model."
_SAVED = f".modules_to_save.{ADAPTER}."


def reason(error: Exception) -> str:
    """Return what an error of peft says, in one line, with its class where the text alone says little."""
    text = " ".join(str(error).split())
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {text}" if isinstance(error, LookupError) else text


def stays_itself(model: nn.Module) -> bool:
    """Return whether the model must keep its class, because its loop calls methods of it."""
    return callable(getattr(model, "train_step", None))


def attach(model: nn.Module, config: PeftConfig) -> nn.Module:
    """Attach a fresh adapter to a model and return it."""
    if not stays_itself(model):
        wrapped: nn.Module = get_peft_model(model, config, adapter_name=ADAPTER)
        return wrapped
    tuner = PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type](model, {ADAPTER: config}, ADAPTER)
    tuner._cast_adapter_dtype(adapter_name=ADAPTER)
    vars(model)["_adapt_tuner"] = _Hidden(tuner)
    return model


class _Hidden:
    """Keeps a module out of its owner's list of submodules. It is not copied with the owner."""

    def __init__(self, module: BaseTuner) -> None:
        self.module = module

    def __deepcopy__(self, memo: dict[int, Any]) -> _Hidden:
        return self


def in_saved_module(name: str) -> bool:
    """Return whether a parameter of an attached model belongs to a module that trains in full."""
    return _SAVED in name


def plain_name(name: str) -> str:
    """Return the name that a parameter of an attached model has in the plain one."""
    plain = name.removeprefix(_PREFIX).replace(_SAVED, ".").replace(".base_layer.", ".")
    return re.sub(r"\.original_module\.", ".", plain)


def adapter_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the state dict of the adapter, as peft's file has it but for a prefix of all names."""
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}


@contextmanager
def other_values(model: nn.Module, state: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Give parameters of an adapter the values of another state (see `adapter_state`) in a block.

    A share of a parameter (FSDP) stays as it is: it is not trained yet where the adapter is switched off.
    """
    chosen = []
    for name, parameter in model.named_parameters():
        given = state.get(name.removeprefix(_PREFIX).replace(f".{ADAPTER}", ""))
        if given is not None and not is_sharded(parameter):
            chosen.append((parameter, given, parameter.data))
    for parameter, given, _ in chosen:
        parameter.data = given.to(parameter.data)
    try:
        yield
    finally:
        for parameter, _, own in chosen:
            parameter.data = own


def save(model: nn.Module, folder: Path) -> None:
    """Write the adapter in peft's format."""
    if isinstance(model, PeftModel):
        model.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
        return
    save_state(adapter_state(model), folder)
    config = copy.copy(config_of(model))
    config.inference_mode = True
    config.save_pretrained(str(folder))


def save_state(state: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write the weights of an adapter (see `adapter_state`) into its folder."""
    # A detector's head shares layers among its levels, and safetensors takes no memory twice.
    tensors = {f"{_PREFIX}{name}": tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    save_file(tensors, str(folder / SAFETENSORS_WEIGHTS_NAME), metadata={"format": "pt"})


def config_of(model: nn.Module) -> PeftConfig:
    """Return the config of an attached adapter."""
    configs: dict[str, PeftConfig] = model.peft_config if isinstance(model, PeftModel) else vars(model)["peft_config"]
    return configs[ADAPTER]


def load(model: nn.Module, folder: Path) -> nn.Module:
    """Attach the adapter of a folder to a plain model."""
    if not stays_itself(model):
        loaded: nn.Module = PeftModel.from_pretrained(model, str(folder), adapter_name=ADAPTER)
        return loaded
    attached = attach(model, PeftConfig.from_pretrained(str(folder)))
    load_state(attached, folder)
    return attached


def trainable_config(folder: Path) -> PeftConfig:
    """Return the config of an adapter's folder, for training it further."""
    config: PeftConfig = PeftConfig.from_pretrained(str(folder))
    config.inference_mode = False
    return config


def load_state(attached: nn.Module, folder: Path) -> None:
    """Give an attached adapter the values of a folder.

    Raises:
        ValueError: the folder has values that the adapter does not, or lacks some.
    """
    state = load_file(str(folder / SAFETENSORS_WEIGHTS_NAME))
    if not isinstance(attached, PeftModel):
        state = {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}
    found = set_peft_model_state_dict(attached, state, ADAPTER)
    strange = list(getattr(found, "unexpected_keys", ()))
    lacking = set(adapter_state(attached)) - {name.removeprefix(_PREFIX) for name in state}
    if strange or lacking:
        raise ValueError(f"its tensors are not those of the adapter: {(strange or sorted(lacking))[0]}")


def merge(model: nn.Module, quantizer: Quantizer | None) -> nn.Module:
    """Return the plain model with the adapter merged into its weights.

    A quantized base is dequantized first: merged into quantized weights, the adapter would be rounded away.

    Args:
        model: the attached model.
        quantizer: what quantized the base; None for a base in float.

    Raises:
        ValueError: an adapted layer has no plain weight to merge into, or the adapter has values that are not finite.
    """
    if quantizer is not None:
        with tempfile.TemporaryDirectory() as name:
            save(model, Path(name))
            model = load(quantizer.dequantize(unload(model)), Path(name))
    _require_plain_weights(model)
    plain: nn.Module = _tuner(model).merge_and_unload(safe_merge=True)
    for name, module in list(plain.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):  # tuners that merge on their own (LN tuning) leave it
            plain.set_submodule(name, module.modules_to_save[ADAPTER])
    _forget(plain)
    return plain


def unload(model: nn.Module) -> nn.Module:
    """Return the base model without the adapter, its layers as they were."""
    base: nn.Module = _tuner(model).unload()
    _forget(base)
    return base


def _require_plain_weights(model: nn.Module) -> None:
    for name, module in model.named_modules():
        base = module.get_base_layer() if isinstance(module, BaseTunerLayer) else None
        if isinstance(base, nn.Linear) and not has_plain_weight(base):
            raise ValueError(
                f"the layer {plain_name(name)} ({type(base).__name__}) has no weight in float to merge into. "
                "A quantized base is dequantized by its quantizer first."
            )


def _tuner(model: nn.Module) -> Any:
    return model.base_model if isinstance(model, PeftModel) else vars(model)["_adapt_tuner"].module


def keep_in_float(model: nn.Module) -> None:
    """Give layers of the adapter that were made anew float32 where peft's are, on a base in half precision."""
    _tuner(model)._cast_adapter_dtype(adapter_name=ADAPTER)


def _forget(model: nn.Module) -> None:
    vars(model).pop("_adapt_tuner", None)
    vars(model).pop("peft_config", None)
