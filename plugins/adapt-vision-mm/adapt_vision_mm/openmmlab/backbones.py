"""A timm backbone in place of the config's own, and weights for a backbone."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import locate
from adapt_core.nn.weights import read_state_dict
from adapt_core.plugin.import_strings import PACKAGE_PREFIX

if TYPE_CHECKING:
    import torch
    from torch import nn

    from adapt_vision_mm.mm_params import MmParams

    StateDict = dict[str, torch.Tensor]

log = logging.getLogger(__name__)

_PREFIX = "timm/"
PRETRAINED = "pretrained"


def check_backbone(plan: Plan[MmParams]) -> None:
    """Check that `backbone` has the form timm/NAME and that `backbone_weights` exists. Needs no torch.

    Raises:
        InputError: otherwise.
    """
    params = plan.task.params
    if params.backbone is not None and not params.backbone.startswith(_PREFIX):
        raise InputError(f"backbone: write timm/NAME; not {params.backbone!r}.")
    if params.backbone_weights is not None and params.backbone_weights != PRETRAINED:
        weights_file(plan, params.backbone_weights)


def weights_file(plan: Plan[MmParams], given: str) -> Path:
    """Return the file of `backbone_weights`: a path, or package:NAME/path.

    Raises:
        InputError: it does not exist.
    """
    if given.startswith(PACKAGE_PREFIX):
        found = locate(attrs.evolve(plan, model=attrs.evolve(plan.model, model_path=given, local_model_path=None)))
        path = found.path
    else:
        path = Path(given).expanduser().absolute()
    if path is None or not path.is_file():
        raise InputError(f"backbone_weights: {given} is not a file. Correct the path.")
    return path


def use_timm(model: dict[str, Any], given: str, *, pretrained: bool) -> None:
    """Set a timm model as a config's backbone, with as many levels as its neck takes, and timm's mean and std.

    Args:
        model: the `model` of a config.
        given: timm/NAME.
        pretrained: whether timm downloads its weights.

    Raises:
        InputError: timm has no such model, or it has too few feature levels.
    """
    import timm

    import adapt_vision_mm.openmmlab.timm_backbone  # noqa: F401 - registers the class

    name = given.removeprefix(_PREFIX)
    if not timm.is_model(name):
        near = get_close_matches(name.casefold(), timm.list_models(), n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise InputError(f"backbone: timm has no model {name!r}.{hint} Correct the name.")
    levels = _levels(model)
    try:
        probe = timm.create_model(name, features_only=True, pretrained=False)
    except (RuntimeError, AttributeError, ValueError, TypeError) as error:
        raise InputError(f"backbone: timm's {name} has no feature maps: {error} (Choose another backbone.)") from error
    channels, available = list(probe.feature_info.channels()), list(probe.feature_info.get_dicts())
    if len(channels) < levels:
        raise InputError(f"backbone: timm's {name} has {len(channels)} feature levels; the config takes {levels}.")
    chosen = tuple(range(len(channels) - levels, len(channels)))
    model["backbone"] = {"type": "TimmBackbone", "name": name, "out_indices": chosen, "pretrained": pretrained}
    _set_channels(model, [channels[i] for i in chosen])
    pretrained_cfg: dict[str, Any] = getattr(probe, "pretrained_cfg", None) or {}
    mean, std = pretrained_cfg.get("mean"), pretrained_cfg.get("std")
    if mean and std and isinstance(model.get("data_preprocessor"), dict):
        model["data_preprocessor"].update(
            mean=[255 * value for value in mean], std=[255 * value for value in std], bgr_to_rgb=True
        )
    log.info(
        "backbone: timm's %s, levels of stride %s", name, ", ".join(str(available[i]["reduction"]) for i in chosen)
    )


def _levels(model: dict[str, Any]) -> int:
    channels = _first_neck(model).get("in_channels") if model.get("neck") else model["head"]["in_channels"]
    return len(channels) if isinstance(channels, (list, tuple)) else 1


def _first_neck(model: dict[str, Any]) -> dict[str, Any]:
    neck = model["neck"]
    first: dict[str, Any] = neck[0] if isinstance(neck, (list, tuple)) else neck
    return first


def _set_channels(model: dict[str, Any], channels: list[int]) -> None:
    holder = _first_neck(model) if model.get("neck") else model["head"]
    given = holder["in_channels"]
    holder["in_channels"] = channels if isinstance(given, (list, tuple)) else channels[-1]


def load_backbone(backbone: nn.Module, path: Path) -> frozenset[str]:
    """Load a backbone's weights by name, or in their order if no name fits and all shapes do.

    Returns:
        the names, in the backbone, of the loaded tensors.

    Raises:
        InputError: the file does not fit.
    """
    state = read_state_dict(path)
    own = backbone.state_dict()
    for prefix in ("", "body.", "backbone."):
        cut = {
            name.removeprefix(prefix) if prefix == "backbone." else f"{prefix}{name}": t for name, t in state.items()
        }
        fits = {name: tensor for name, tensor in cut.items() if name in own and own[name].shape == tensor.shape}
        if len(fits) > len(own) // 2:
            break
    else:
        fits = _in_order(own, state)
        if not fits:
            raise InputError(
                f"backbone_weights: {path} has {len(state)} tensors, and neither their names nor their order fits "
                f"the backbone's {len(own)}."
                " Give weights of this backbone."
            )
        log.info("backbone_weights: no name fits; loaded in order, since all shapes are equal")
    backbone.load_state_dict(fits, strict=False)
    log.info("backbone_weights: %d of %d tensors loaded from %s", len(fits), len(own), path.name)
    return frozenset(fits)


def _in_order(own: StateDict, state: StateDict) -> StateDict:
    """Return the file's first tensors under the backbone's names if each has the right shape (a head may follow)."""
    counted = [name for name in own if not name.endswith("num_batches_tracked")]
    tensors = [tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")]
    if len(tensors) < len(counted):
        return {}
    pairs = dict(zip(counted, tensors, strict=False))
    return pairs if all(own[name].shape == tensor.shape for name, tensor in pairs.items()) else {}
