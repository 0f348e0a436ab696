"""timm models: created, loaded, and saved so that plain timm loads them again."""

from __future__ import annotations

import json
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
from adapt_core.hf.decisions.names import KEPT, kept_decisions
from adapt_core.hf.models.checkpoint import load_over
from adapt_core.hf.models.hub import require_model
from adapt_core.hf.models.location import ModelSource
from adapt_core.hf.problems.kinds import SINGLE_LABEL
from adapt_core.hf.problems.problem import Problem
from adapt_core.nn.structure import find_head
from adapt_core.nn.weights import FILES, read_state_dict, save_weights, saved_form

from adapt_vision_mm.image_classification.backends.timm.reference import TimmReference
from adapt_vision_mm.image_classification.backends.timm.weights import load_weights
from adapt_vision_mm.image_classification.params import ImageClassificationParams
from adapt_vision_mm.image_classification.problems import PROBLEMS
from adapt_vision_mm.images.usage import READ_PHOTO

_OUTPUTS = "adapt_outputs"
"""The attribute of a model that says what its outputs mean, where that is not one label, and how they decide."""

_CACHED_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def usage(problem: Problem, folder: str) -> str:
    """Return comments that classify a photo with `model`, `transform` and `labels`.

    Args:
        problem: that the model was trained for.
        folder: that has its config.json.
    """
    kept = ["import json", f'config = json.load(open("{folder}/config.json"))']
    lines = [
        *(kept if problem.decisions else ()),
        *problem.use("model(transform(photo)[None])", "labels", 'config["{}"]'),
    ]
    return "\n".join([READ_PHOTO, *(f"# {line}" for line in lines)])


def check_model(reference: TimmReference, *, published: bool) -> None:
    """Check that the architecture exists, and that its published weights are available if they are to be loaded.

    Args:
        reference: the model.
        published: load the published weights of a bare name.

    Raises:
        InputError: the name is unknown (with the nearest), or the weights are neither cached nor reachable.
    """
    architecture, source = reference.architecture, reference.source
    if architecture is None:
        assert source is not None
        require_model(source)
        return
    if not timm.is_model(architecture):
        near = get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise InputError(
            f"MODEL_PATH: timm has no architecture {architecture!r}.{hint} "
            "(A Hugging Face model is a folder or ORG/NAME.)"
            " Correct the name."
        )
    if source is None and published:
        _require_published(architecture)


def _require_published(name: str) -> None:
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None or not config.has_weights:
        tags = ", ".join(timm.list_pretrained(f"{name.partition('.')[0]}*")[:5]) or "none"
        raise InputError(
            f"load_model: timm publishes no weights of {name} (similar names: {tags}). Set load_model: false."
        )
    hub_id = config.hf_hub_id
    if not hub_id or any(isinstance(try_to_load_from_cache(hub_id, file), str) for file in _CACHED_WEIGHTS):
        return
    try:
        require_model(ModelSource(name, hub_id=hub_id))
    except InputError as error:
        raise InputError(
            f"load_model: the published weights of {name} are not in the cache. {error} "
            "To use weights that you have, set LOCAL_MODEL_PATH: FILE."
        ) from None


def make_model(
    reference: TimmReference, plan: Plan[ImageClassificationParams], names: tuple[str, ...], config: Mapping[str, Any]
) -> LoadedModel:
    """Create a timm classifier with a head for the given classes.

    Args:
        reference: the model.
        plan: for load_model, load_by_order, MODEL_CHECKPOINT and DTYPE.
        names: classes by id; the model keeps them in `pretrained_cfg["label_names"]`, as timm does.
        config: the preprocessing; networks of a fixed input size are built for its `input_size`.

    Raises:
        InputError: it cannot be created, or the weights do not fit.
    """
    path = reference.source.path if reference.source else None
    pretrained = path is None and (reference.source is not None or plan.task.params.load_model)
    classes = {"num_classes": len(names), **size_options(reference, config)}
    model = _create(reference.name, pretrained=pretrained, **classes)
    if path is not None:
        by_order = path.is_file() and plan.task.params.load_by_order
        new = load_weights(model, _weights_in(path) if path.is_dir() else path, by_order=by_order)
    else:
        new = _new_head_parameters(model)
    if plan.model.model_checkpoint:
        new -= load_over(model, Path(plan.model.model_checkpoint))
    if plan.model.dtype in ("float16", "bfloat16"):
        model.to(getattr(torch, plan.model.dtype))
    if plan.training.gradient_checkpointing:
        _checkpoint_activations(model)
    _set_config(model, {**config, "label_names": list(names), "num_classes": len(names)})
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    return LoadedModel(model=model, new_parameters=new, dtype=dtype)


def _create(name: str, **options: object) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, **options)
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise InputError(
            f"MODEL_PATH: {name.partition(':')[2] or name} cannot be loaded: {' '.join(str(error).split())[:300]}"
            " (Check the model's files.)"
        ) from error
    return model


def _weights_in(folder: Path) -> Path:
    names = (*(FILES[form] for form in ("safetensors", "state_dict")), "pytorch_model.bin")
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise InputError(f"{folder} has no weights ({', '.join(names)}). Add them.")
    return found


def _new_head_parameters(model: nn.Module) -> frozenset[str]:
    """Return the parameters of the head if they are new: the published head had another number of classes."""
    config: Any = model.pretrained_cfg
    if config.get("num_classes") == model.num_classes:
        return frozenset()
    prefixes = tuple(f"{name}." for name in find_head(model))
    return frozenset(name for name, _ in model.named_parameters() if name.startswith(prefixes))


def _checkpoint_activations(model: nn.Module) -> None:
    enable: Any = getattr(model, "set_grad_checkpointing", None)
    reason = "it has no set_grad_checkpointing" if enable is None else None
    if enable is not None:
        try:
            enable(True)
        except AssertionError as error:  # what timm raises for a model without it
            reason = str(error)
    if reason is not None:
        raise InputError(
            f"GRADIENT_CHECKPOINTING: timm's {type(model).__name__} does not support it ({reason}). Set it to false."
        )


def data_config_of(reference: TimmReference) -> dict[str, Any]:
    """Return the preprocessing of a model that is not loaded yet."""
    return data_config(_outline(reference))


def _outline(reference: TimmReference) -> nn.Module:
    """Return the model on the device "meta"."""
    with torch.device("meta"):
        return _create(reference.name)


def size_options(reference: TimmReference, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the image size as `create_model` takes it, for a network built for a fixed one that is not its own."""
    outline: Any = _outline(reference)
    if not outline.pretrained_cfg.get("fixed_input_size") or data_config(outline)["input_size"] == config["input_size"]:
        return {}
    return {"img_size": tuple(config["input_size"][1:])}


def data_config(model: nn.Module) -> dict[str, Any]:
    """Return the preprocessing that a timm model was pretrained with, as `create_transform` takes it.

    Raises:
        InputError: the model does not take three channels.
    """
    config: dict[str, Any] = resolve_data_config(model=model)
    if config["input_size"][0] != 3:
        raise InputError(f"{type(model).__name__} takes {config['input_size'][0]} channels; images are read as RGB.")
    return config


def _set_config(model: nn.Module, config: Mapping[str, Any]) -> None:
    """Store preprocessing and labels where timm itself keeps them."""
    timm_model: Any = model
    timm_model.pretrained_cfg = {**timm_model.pretrained_cfg, **config}
    timm_model.default_cfg = timm_model.pretrained_cfg


def save_model(model: nn.Module, folder: Path, save_method: str) -> None:
    """Write weights, and config.json in timm's own format, which `timm.create_model("local-dir:...")` reads.

    With `save_pretrained` the folder has safetensors and can be pushed to the hub as it is (`hf-hub:ORG/NAME`).
    """
    save_config(model, folder)
    save_weights(model, folder, "safetensors" if save_method == "save_pretrained" else save_method)


def save_config(model: nn.Module, folder: Path) -> None:
    """Write config.json in timm's own format: architecture, preprocessing and labels, and at its end the problem."""
    from timm.models._hub import save_config_for_hf

    module: Any = model
    names = module.pretrained_cfg.get("label_names")
    kept = {**({"label_names": names} if names else {}), **_outputs_of(model)}
    save_config_for_hf(model, str(folder / "config.json"), model_config=kept or None)


def write_problem(model: nn.Module, problem: Problem) -> None:
    """Keep with a model, attached or not, what its outputs mean where that is not one label, and how they decide.

    It is an attribute, and in config.json: timm takes any further key of its own `pretrained_cfg` for an error.
    """
    base: Any = getattr(model, "get_base_model", lambda: model)()
    kind = {} if problem.kind == SINGLE_LABEL else {"problem_type": problem.kind}
    setattr(base, _OUTPUTS, {**kind, **problem.decisions})


def read_problem(model: nn.Module) -> Problem:
    """Return what the outputs of a model mean that was made, or loaded by `load_folder`."""
    module: Any = model
    kept = _outputs_of(model)
    kind = str(kept.get("problem_type", SINGLE_LABEL))
    names = tuple(module.pretrained_cfg["label_names"])
    return PROBLEMS[kind](names=names, decisions=kept_decisions(kept))


def _outputs_of(model: nn.Module) -> dict[str, Any]:
    return dict(getattr(model, _OUTPUTS, {}))


def load_folder(folder: Path) -> nn.Module:
    """Load what `save_model` wrote in any form but `full_torch_model`, in evaluation mode."""
    model: nn.Module = timm.create_model(f"local-dir:{folder}")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    setattr(model, _OUTPUTS, {key: config[key] for key in ("problem_type", *KEPT) if key in config})
    form = saved_form(folder)
    model.load_state_dict(read_state_dict(folder / FILES[str(form)]))
    return model.eval()


def loading_lines(save_method: str, problem: Problem) -> str:
    """Return Python source that loads `model/` without adapt and classifies an image."""
    pickled = [
        "# A pickle can run code when it is loaded: load it only if you trust its source.",
        'model = torch.load("model/model.pt", weights_only=False).eval()',
    ]
    state = 'model = timm.create_model("local-dir:model", checkpoint_path="model/model_state_dict.pt").eval()'
    lines = {
        "full_torch_model": ["import timm", "import torch", "", *pickled],
        "state_dict": ["import timm", "", state],
    }.get(save_method, ["import timm", "", 'model = timm.create_model("local-dir:model", pretrained=True).eval()'])
    return "\n".join(
        [
            *lines,
            "transform = timm.data.create_transform(**timm.data.resolve_data_config(model=model))",
            'labels = model.pretrained_cfg["label_names"]',
            usage(problem, "model"),
        ]
    )
