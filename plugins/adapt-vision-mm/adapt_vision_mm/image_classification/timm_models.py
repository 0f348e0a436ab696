"""timm models: made, loaded, and written so that plain timm loads them again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_data_config
from torch import nn

from adapt_core.config.plan import Plan
from adapt_core.contracts import LoadedModel
from adapt_core.errors import InputError
from adapt_core.hf.models.hub import require_model
from adapt_core.hf.models.location import ModelSource
from adapt_core.hf.models.pretrained import load_over
from adapt_core.nn.structure import find_head
from adapt_core.nn.weights import FILES, read_state_dict, save_weights, saved_form

from adapt_vision_mm.image_classification.library import Choice
from adapt_vision_mm.image_classification.weights import load_weights

_CACHED_WEIGHTS = ("model.safetensors", "pytorch_model.bin")

log = logging.getLogger(__name__)


def check_model(choice: Choice, plan: Plan) -> None:
    """Sees that the architecture exists, and that published weights can be had where they are asked for.

    Raises:
        InputError: an unknown name (with the nearest), or weights that are neither cached nor in reach.
    """
    name = choice.architecture
    if name is None:
        assert choice.source is not None
        require_model(choice.source)
        return
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise InputError(
            f"MODEL_PATH: timm has no architecture {name!r}.{hint} (A Hugging Face model is a folder or ORG/NAME.)"
        )
    if choice.source is None and plan.task.params.load_model:
        _require_published(name)


def _require_published(name: str) -> None:
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None or not config.has_weights:
        tags = ", ".join(timm.list_pretrained(f"{name.partition('.')[0]}*")[:5]) or "none"
        raise InputError(f"load_model: timm publishes no weights of {name} (of like names: {tags}).")
    hub_id = config.hf_hub_id
    if not hub_id or any(isinstance(try_to_load_from_cache(hub_id, file), str) for file in _CACHED_WEIGHTS):
        return
    try:
        require_model(ModelSource(name, hub_id=hub_id))
    except InputError as error:
        raise InputError(
            f"load_model: the published weights of {name} are not in the cache. {error} "
            "Weights that you have are given as LOCAL_MODEL_PATH: FILE."
        ) from None


def make_model(choice: Choice, plan: Plan, names: tuple[str, ...], config: Mapping[str, Any]) -> LoadedModel:
    """A timm classifier with a head for the given classes.

    Args:
        choice: what `library.choose` returned.
        plan: for load_model, load_by_order, MODEL_CHECKPOINT and DTYPE.
        names: the classes by id; the model keeps them in `pretrained_cfg["label_names"]`, as timm does.
        config: the preprocessing; a network that is built for one size is built for its `input_size`.

    Raises:
        InputError: it cannot be made, or the weights do not fit.
    """
    path = choice.source.path if choice.source else None
    classes = {"num_classes": len(names), **_size_options(choice, config)}
    new: frozenset[str] | None = None
    if path is not None and path.is_dir():
        model = _created(f"local-dir:{path}", choice, **classes)
        new = load_weights(model, _weights_in(path), by_order=False)
    elif path is not None:
        model = _created(str(choice.architecture), choice, **classes)
        new = load_weights(model, path, plan.task.params.load_by_order)
    elif choice.source is not None:
        model = _created(f"hf-hub:{choice.source.hub_id}", choice, pretrained=True, **classes)
    else:
        model = _created(str(choice.architecture), choice, pretrained=plan.task.params.load_model, **classes)
        if not plan.task.params.load_model:
            method = plan.method.name
            log.warning(
                "%s starts from random weights: load_model is false, and no LOCAL_MODEL_PATH is given.%s",
                choice.architecture,
                "" if method == "full" else f" Method {method} keeps most of them as they are: it adapts nothing.",
            )
    if new is None:
        new = _head_parameters(model)
    if plan.model.model_checkpoint:
        new -= load_over(model, Path(plan.model.model_checkpoint))
    if plan.model.dtype in ("float16", "bfloat16"):
        model.to(getattr(torch, plan.model.dtype))
    if plan.training.gradient_checkpointing:
        _checkpoint_activations(model)
    _remember(model, {**config, "label_names": list(names), "num_classes": len(names)})
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    return LoadedModel(model=model, new_parameters=new, dtype=dtype)


def _created(name: str, choice: Choice, **options: Any) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, **options)
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise InputError(
            f"MODEL_PATH: {choice.named} cannot be loaded: {' '.join(str(error).split())[:300]}"
        ) from error
    return model


def _weights_in(folder: Path) -> Path:
    names = (*(FILES[form] for form in ("safetensors", "state_dict")), "pytorch_model.bin")
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise InputError(f"{folder} holds no weights ({', '.join(names)}).")
    return found


def _head_parameters(model: nn.Module) -> frozenset[str]:
    """The head's parameters, which are new where the published head had another number of classes."""
    config: Any = model.pretrained_cfg
    if config.get("num_classes") == model.num_classes:
        return frozenset()
    prefixes = tuple(f"{name}." for name in find_head(model))
    return frozenset(name for name, _ in model.named_parameters() if name.startswith(prefixes))


def _checkpoint_activations(model: nn.Module) -> None:
    enable: Any = getattr(model, "set_grad_checkpointing", None)
    try:
        if enable is None:
            raise InputError("it has no set_grad_checkpointing")
        enable(True)
    except (AssertionError, InputError) as error:
        raise InputError(
            f"GRADIENT_CHECKPOINTING: timm's {type(model).__name__} does not support it ({error})."
        ) from None


def data_config_of(choice: Choice) -> dict[str, Any]:
    """The preprocessing of a model that is not loaded yet."""
    return data_config(_outline(choice))


def _outline(choice: Choice) -> nn.Module:
    """The architecture without weights or memory."""
    path = choice.source.path if choice.source else None
    if path is not None and path.is_dir():
        name = f"local-dir:{path}"
    else:
        name = choice.architecture or f"hf-hub:{choice.source and choice.source.hub_id}"
    with torch.device("meta"):
        return _created(name, choice)


def _size_options(choice: Choice, config: Mapping[str, Any]) -> dict[str, Any]:
    outline: Any = _outline(choice)
    if not outline.pretrained_cfg.get("fixed_input_size") or data_config(outline)["input_size"] == config["input_size"]:
        return {}
    return {"img_size": tuple(config["input_size"][1:])}


def data_config(model: nn.Module) -> dict[str, Any]:
    """The preprocessing that a timm model was pretrained with, as `create_transform` takes it."""
    config: dict[str, Any] = resolve_data_config(model=model)
    if config["input_size"][0] != 3:
        raise InputError(f"{type(model).__name__} wants {config['input_size'][0]} channels; images are read as RGB.")
    return config


def _remember(model: nn.Module, facts: Mapping[str, Any]) -> None:
    """Puts preprocessing and labels where timm itself keeps them."""
    holder: Any = model
    holder.pretrained_cfg = {**holder.pretrained_cfg, **facts}
    holder.default_cfg = holder.pretrained_cfg


def save_model(model: nn.Module, folder: Path, save_method: str) -> None:
    """Weights, and config.json in timm's own format, which `timm.create_model("local-dir:...")` reads.

    `save_pretrained` is that format with safetensors, which the hub takes as it is (`hf-hub:ORG/NAME`).
    """
    from timm.models._hub import save_config_for_hf

    config: Any = model.pretrained_cfg
    names = config.get("label_names")
    save_config_for_hf(model, str(folder / "config.json"), model_config={"label_names": names} if names else None)
    save_weights(model, folder, "safetensors" if save_method == "save_pretrained" else save_method)


def load_folder(folder: Path) -> nn.Module:
    """The model that `save_model` wrote in any form but `full_torch_model`, in evaluation mode."""
    model: nn.Module = timm.create_model(f"local-dir:{folder}")
    form = saved_form(folder)
    model.load_state_dict(read_state_dict(folder / FILES[str(form)]))
    return model.eval()


def loading_lines(save_method: str) -> str:
    """Python source that loads `model/` without adapt and classifies an image."""
    pickled = [
        "# A pickle can run code when it is loaded: load it only if you trust where it comes from.",
        'model = torch.load("model/model.pt", weights_only=False).eval()',
    ]
    state = [
        'model = timm.create_model("local-dir:model")',
        'model.load_state_dict(torch.load("model/model_state_dict.pt", weights_only=True))',
        "model.eval()",
    ]
    lines = {
        "full_torch_model": ["import timm", "import torch", "", *pickled],
        "state_dict": ["import timm", "import torch", "", *state],
    }.get(save_method, ["import timm", "", 'model = timm.create_model("local-dir:model", pretrained=True).eval()'])
    return "\n".join(
        [
            *lines,
            "transform = timm.data.create_transform(**timm.data.resolve_data_config(model=model))",
            'labels = model.pretrained_cfg["label_names"]',
            "# from PIL import Image",
            '# labels[int(model(transform(Image.open("photo.jpg").convert("RGB"))[None]).argmax())]',
        ]
    )
