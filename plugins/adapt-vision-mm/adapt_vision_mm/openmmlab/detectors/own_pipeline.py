"""`augment: own`: a detector config's own training pipeline, with its wrappers and its last epochs, as one step.

Of mmdet's wrappers MultiImageMixDataset is kept. Those that only repeat images (RepeatDataset, ClassBalancedDataset)
are left out: the run's EPOCHS and REPEAT_THRESHOLD say how often an image comes. Mosaic and mixup with a cache mix what
a loading process has seen before, which differs between runs that are resumed and those that are not: here each draws
the images that it mixes anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

from adapt_vision_mm.openmmlab.contracts import Step

if TYPE_CHECKING:
    from mmengine.config import Config

OWN = "OwnTraining"
"""The type of the step; see `own_transform`."""

_REPEATS = ("RepeatDataset", "ClassBalancedDataset")
_WITHOUT_MASKS = ("Mosaic", "MixUp")
_FURTHER_DATA = ("LoadProposals", "LoadPanopticAnnotations", "LoadTrackAnnotations", "LoadEmptyAnnotations")
_SIZES = ("scale", "scales", "img_scale", "crop_size", "size", "border")
_SWITCHED_OFF = ("Mosaic", "RandomAffine", "MixUp")
"""What mmdet's YOLOXModeSwitchHook leaves out where it does not say."""


def own_pipeline(config: Config, factor: float, *, with_mask: bool, mirrors: bool) -> list[Step]:
    """Return the training pipeline of a config as one step, whose mappings are the config's own.

    Args:
        config: as it was read.
        factor: what sizes in pixels are multiplied by.
        with_mask: whether masks are loaded.
        mirrors: whether images are mirrored.

    Raises:
        InputError: the config has no pipeline of its own, or one that needs more than images and their objects.
    """
    kept = config.get("own_training")
    if kept is not None:  # the config of a run with `augment: own`
        return [dict(kept)]
    dataset = (config.get("train_dataloader") or {}).get("dataset")
    inner, mixed = _pipelines(dataset)
    share, last = _last_epochs(config, [*inner, *mixed])

    def adapted(steps: Sequence[Mapping[str, Any]]) -> list[Step]:
        return [_adapted(step, factor, with_mask=with_mask) for step in steps if mirrors or not _is_mirror(step)]

    first = adapted(inner)
    return [
        {
            "type": OWN,
            "steps": [*first, *adapted(mixed)],
            "partners_after": len(first) if mixed else None,
            "last_steps": adapted(last) if share else None,
            "last_share": share,
        }
    ]


def _refusal(reason: str) -> InputError:
    return InputError(f"augment: own: {reason}. Set augment: true, or choose another config.")


def _pipelines(dataset: object) -> tuple[list[Any], list[Any]]:
    """Return the steps of one image, and those of a wrapper that mixes several."""
    mixed: list[Any] = []
    while isinstance(dataset, dict) and dataset.get("dataset") is not None:
        if dataset.get("type") == "MultiImageMixDataset" and not mixed:
            mixed = list(dataset["pipeline"])
        elif dataset.get("type") not in _REPEATS:
            raise _refusal(f"its training data is wrapped by {dataset.get('type')}, which adapt does not have")
        dataset = dataset["dataset"]
    if isinstance(dataset, dict) and dataset.get("datasets"):
        inside = [_pipelines(one) for one in dataset["datasets"]]
        if any(one != inside[0] for one in inside):
            raise _refusal("its training data is several data sets with pipelines of their own")
        return inside[0][0], mixed or inside[0][1]
    steps = list(dataset.get("pipeline") or ()) if isinstance(dataset, dict) else []
    if not steps:
        raise _refusal("the config has no training pipeline (train_dataloader.dataset.pipeline)")
    return steps, mixed


def _last_epochs(config: Config, steps: Sequence[Mapping[str, Any]]) -> tuple[float, list[Any]]:
    """Return the share of the epochs that a hook gives another pipeline, and its steps."""
    epochs = (config.get("train_cfg") or {}).get("max_epochs")
    for hook in config.get("custom_hooks") or () if epochs else ():
        kind = str(hook.get("type")).rpartition(".")[2]
        if kind == "PipelineSwitchHook":
            return 1 - hook["switch_epoch"] / epochs, list(hook["switch_pipeline"])
        if kind == "YOLOXModeSwitchHook":
            off = tuple(hook.get("skip_type_keys") or _SWITCHED_OFF)
            return hook.get("num_last_epochs", 15) / epochs, [step for step in steps if step["type"] not in off]
    return 0.0, []


def _is_mirror(step: Mapping[str, Any]) -> bool:
    direction = step.get("direction", "horizontal")
    return str(step["type"]) == "RandomFlip" and str(direction) != "vertical"


def _adapted(step: Mapping[str, Any], factor: float, *, with_mask: bool) -> Step:
    kind = str(step["type"])
    if kind in _FURTHER_DATA:
        raise _refusal(f"its training pipeline has {kind}, which needs more than images and their objects")
    found = dict(step)
    if with_mask and kind in _WITHOUT_MASKS:
        raise _refusal(f"its training pipeline has {kind}, by which mmdet mixes images without their masks")
    if kind == "LoadAnnotations":
        if found.get("with_seg"):
            raise _refusal("its training pipeline loads maps of whole images (with_seg)")
        found |= {"with_bbox": True, "with_mask": with_mask}
    if "transforms" in found and not isinstance(found["transforms"], dict):
        found["transforms"] = [_nested(one, factor, with_mask=with_mask) for one in found["transforms"]]
    return _scaled_sizes(found, factor)


def _scaled_sizes(step: Step, factor: float) -> Step:
    if factor == 1 or step.get("crop_type", "absolute") != "absolute":
        return step
    return {name: _scaled(value, factor) if name in _SIZES else value for name, value in step.items()}


def _nested(node: object, factor: float, *, with_mask: bool) -> Any:
    if isinstance(node, dict):
        return _adapted(node, factor, with_mask=with_mask) if "type" in node else node
    return [_nested(one, factor, with_mask=with_mask) for one in node] if isinstance(node, (list, tuple)) else node


def _scaled(value: object, factor: float) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_scaled(one, factor) for one in value)
    return round(value * factor) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def last_epoch_from(share: float, epochs: float) -> int | None:
    """Return the first epoch, from 0, of the share of a run's epochs that has another pipeline; None where none has.

    Args:
        share: of the config's own epochs; at least one epoch of a run of several has it.
        epochs: EPOCHS.
    """
    if not share or epochs <= 1:
        return None
    return max(1, math.ceil(epochs) - max(1, round(share * epochs)))
