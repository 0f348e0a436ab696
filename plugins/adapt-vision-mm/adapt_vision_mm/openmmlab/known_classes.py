"""START_FROM: annotated splits with the classes of the model that goes on, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapt_core.config.continuation import adapter_of
from adapt_core.errors import InputError
from adapt_core.nn.weights import read_torch_file
from adapt_core.run_folder.known_classes import require_known
from adapt_core.run_folder.model_data import of_start

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, Category, categories_from_data
from adapt_vision_mm.annotations.splits import match_classes
from adapt_vision_mm.openmmlab.config_files import CHECKPOINT

_SOURCE = "the model of START_FROM"


def with_known_classes(start_from: str | None, splits: dict[str, AnnotatedSplit]) -> dict[str, AnnotatedSplit]:
    """Return splits with the classes that the model of START_FROM knows, as they are without START_FROM.

    Args:
        start_from: START_FROM.
        splits: with the classes of the training split.

    Raises:
        InputError: training objects have a class that the model does not know.
        DataError: other objects have one, or a class has other keypoints than there.
    """
    known = _known_categories(start_from)
    if known is None:
        return splits
    train = splits["train"]
    counts = train.count_by_category()
    occurring = (category.name for category in train.categories if counts[category.id])
    require_known(occurring, [category.name for category in known])
    model = AnnotatedSplit(source=_SOURCE, images=(), categories=known)
    return {name: match_classes(split, model) for name, split in splits.items()}


def _known_categories(start_from: str | None) -> tuple[Category, ...] | None:
    """Return the classes of the model: kept beside its adapter, or in the checkpoint of a whole model."""
    if start_from is None:
        return None
    if adapter_of(start_from) is not None:
        before = of_start(start_from)
        return None if before is None else categories_from_data(before.facts.get("categories"))
    path = Path(start_from).expanduser().absolute() / "model" / CHECKPOINT
    saved = read_torch_file(path)
    try:
        return _of_meta(saved["meta"]["dataset_meta"])
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path} does not say which classes its model knows ({error!r}). Restore it.") from None


def _of_meta(meta: Mapping[str, Any]) -> tuple[Category, ...]:
    if "classes" in meta:
        return tuple(Category(id=number, name=str(name)) for number, name in enumerate(meta["classes"], 1))
    names = meta["keypoint_id2name"]
    points = tuple(str(names[number]) for number in sorted(names))
    return (Category(id=1, name=str(meta["dataset_name"]), keypoints=points),)
