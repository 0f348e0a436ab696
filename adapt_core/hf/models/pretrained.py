"""Hugging Face models, tokenizers and processors, loaded with errors that name the config's keys."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from adapt_core.contracts import LoadedModel, Quantizer
from adapt_core.errors import AdaptError, InputError
from adapt_core.hf.models.base_weights import require_base, shape_differences, wrapper_prefix
from adapt_core.hf.models.checkpoint import load_over
from adapt_core.hf.models.device_dtype import widen_for_device
from adapt_core.hf.models.hub import require_model
from adapt_core.hf.models.location import ModelSource, check_model_folder
from adapt_core.hf.models.logging import quiet_libraries

if TYPE_CHECKING:
    from transformers.models.auto.auto_factory import _BaseAutoModelClass

    from adapt_core.config.plan import Plan

T = TypeVar("T")

log = logging.getLogger(__name__)


def check_source(source: ModelSource, companions: tuple[str, ...], what: str) -> None:
    """Check a model without torch: a local folder for completeness, or the hub.

    Raises:
        InputError: see `check_model_folder` and `require_model`.
    """
    if source.path is None:
        require_model(source)
    check_model_folder(source, companions, what)


def load_pretrained(
    auto_class: type[_BaseAutoModelClass], source: ModelSource, plan: Plan, device: str, options: Mapping[str, Any]
) -> LoadedModel:
    """Load a model by its Auto class.

    Args:
        auto_class: a transformers Auto class (`AutoModelForSequenceClassification`).
        source: what `locate` returned.
        plan: for DTYPE, TRUST_REMOTE_CODE and MODEL_CHECKPOINT.
        device: where the model will live; on "meta", `options` must say so too.
        options: further arguments of `from_pretrained` (labels, quantization).

    Returns:
        the model with the names of the parameters that the checkpoint does not have.

    Raises:
        InputError: it cannot be loaded, with the reason and a remedy; or its weights lack a part of the base model.
    """
    found = _load(auto_class, source, plan, options)
    prefix = wrapper_prefix(found.model, found.info)
    if prefix is not None:
        found = _load(auto_class, source, plan, {**options, **_without(prefix)})
    widen_for_device(found.model, plan, device)
    return _checked(found, prefix, source, plan)


def load_quantized(
    auto_class: type[_BaseAutoModelClass],
    source: ModelSource,
    plan: Plan,
    quantizer: Quantizer,
    device: str,
    options: Mapping[str, Any],
) -> LoadedModel:
    """Load a model by its Auto class with its layers quantized, but for the head and what the checkpoint lacks.

    What the checkpoint lacks is found by loading the model's structure first, without its values. Weights of
    MODEL_CHECKPOINT are loaded in full precision and quantized then.

    Args:
        auto_class, source, plan: see `load_pretrained`.
        quantizer: what quantizes.
        device: where the model will live.
        options: further arguments of `from_pretrained`.

    Raises:
        InputError: see `load_pretrained`; or there is nothing to quantize.
    """
    from adapt_core.nn.structure import find_head, full_precision_modules

    if plan.model.model_checkpoint:
        loaded = load_pretrained(auto_class, source, plan, device, options)
        quantizer.convert(loaded.model, full_precision_modules(find_head(loaded.model), loaded.new_parameters), device)
        return loaded
    on_meta = {**options, "device_map": {"": "meta"}}
    structure = _load(auto_class, source, plan, on_meta)
    prefix = wrapper_prefix(structure.model, structure.info)
    renaming = {} if prefix is None else _without(prefix)
    if prefix is not None:
        structure = _load(auto_class, source, plan, {**on_meta, **renaming})
    whole = full_precision_modules(find_head(structure.model), structure.absent)
    quantized = {**options, **quantizer.hf_options(whole, device), **renaming}
    return _checked(_load(auto_class, source, plan, quantized), prefix, source, plan)


@attrs.frozen
class _Loaded:
    """What `from_pretrained` returns: a model, and the info on what of it the checkpoint has."""

    model: Any
    info: Mapping[str, Any]

    @property
    def absent(self) -> frozenset[str]:
        """The names of what the checkpoint lacks or has in another shape."""
        return frozenset(self.info["missing_keys"]) | shape_differences(self.info).keys()


def _load(
    auto_class: type[_BaseAutoModelClass], source: ModelSource, plan: Plan, options: Mapping[str, Any]
) -> _Loaded:
    arguments: dict[str, Any] = {
        "dtype": _dtype(plan),
        "trust_remote_code": plan.model.trust_remote_code,
        "output_loading_info": True,
        **_hub_options(source),
        **options,
    }
    return _Loaded(*guarded(source.given, lambda: auto_class.from_pretrained(source.name, **arguments)))


def _without(prefix: str) -> dict[str, Any]:
    return {"key_mapping": {f"^{re.escape(prefix)}": ""}}


def _checked(found: _Loaded, prefix: str | None, source: ModelSource, plan: Plan) -> LoadedModel:
    model = found.model
    if prefix is not None:
        log.warning("MODEL_PATH: the names of %s's weights begin with %r, which is left out.", source.given, prefix)
        # transformers puts back on saving what a mapping took away; None stands for the conversions of the class.
        model._weight_conversions = None
    shapes, new = shape_differences(found.info), found.absent
    held = frozenset(name for name, _ in model.named_parameters(remove_duplicate=False))
    if plan.model.model_checkpoint:
        new -= load_over(model, Path(plan.model.model_checkpoint))
    require_base(model, new, shapes, source.given, plan.model.new_weights)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    return LoadedModel(model=model, new_parameters=new & held, dtype=dtype)


def load_companion(loader: Callable[..., T], source: ModelSource, plan: Plan, **options: Any) -> T:
    """Load a tokenizer, processor or config by `loader`, the Auto class's `from_pretrained`.

    Raises:
        InputError: as `load_pretrained`.
    """
    return guarded(
        source.given,
        lambda: loader(source.name, trust_remote_code=plan.model.trust_remote_code, **_hub_options(source), **options),
    )


def _hub_options(source: ModelSource) -> dict[str, Any]:
    if source.path is not None:
        return {"local_files_only": True}
    options: dict[str, Any] = {"local_files_only": require_model(source)}
    if source.revision:
        options["revision"] = source.revision
    return options


def _dtype(plan: Plan) -> str:
    """DTYPE for `from_pretrained`: auto is float32 where the checkpoint's own weights train, else the checkpoint's."""
    if plan.model.dtype != "auto":
        return plan.model.dtype
    return "float32" if plan.trains_base else "auto"


def guarded(given: str, load: Callable[[], T]) -> T:
    """Return what `load` returns, with errors that name the model.

    Args:
        given: the model as the user wrote it.
        load: calls a library.

    Raises:
        InputError: the model is damaged, or has code or a pickle that is not trusted.
    """
    quiet_libraries()
    try:
        return load()
    except AdaptError:
        raise
    except UnpicklingError as error:
        raise InputError(
            f"MODEL_PATH: the weights of {given} are a pickle that could run code, and are not loaded. "
            "Use weights in model.safetensors."
        ) from error
    except Exception as error:
        # A model's files can hold anything, and each library has errors of its own for it, assertions among them.
        text = " ".join(str(error).split())
        if "trust_remote_code" in text:
            raise InputError(
                f"MODEL_PATH: {given} has its own code, which runs only if you trust it: --set TRUST_REMOTE_CODE=true"
            ) from error
        raise InputError(
            f"MODEL_PATH: {given} cannot be loaded: {text[:300] or type(error).__name__} "
            "(Check the model's files, and the space left for its cache.)"
        ) from error
