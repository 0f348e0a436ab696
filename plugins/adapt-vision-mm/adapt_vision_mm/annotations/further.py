"""Further sets of annotated images that a run evaluates (ALSO_EVALUATE), with the classes of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from adapt_core.config.data_places import DataPlace, further_places
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.further import plan_of
from adapt_core.hf.data.places import naming

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.sources import SplitNotFoundError, UnannotatedSplitError, find_source
from adapt_vision_mm.annotations.splits import SplitReader, match_classes, sampled
from adapt_vision_mm.annotations.standard_files import SplitName
from adapt_vision_mm.mm_params import MmParams

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan

ParamsT = TypeVar("ParamsT", bound=MmParams)

_SPLITS: tuple[SplitName, ...] = ("val", "test", "train")
"""Of these the first that a data set has is evaluated."""

log = logging.getLogger(__name__)


def further_splits(
    plan: Plan[ParamsT], train: AnnotatedSplit, reader_of: Callable[[Plan[ParamsT]], SplitReader]
) -> dict[str, AnnotatedSplit]:
    """Return what is evaluated of each data set of ALSO_EVALUATE, by its name.

    Images with an object of a class that the model does not have are left out with a warning; `dropped` counts them.

    Args:
        plan: of the run.
        train: the training split.
        reader_of: returns what reads the splits of a plan.

    Raises:
        InputError: a data set does not exist, or has columns; the message names it.
        DataError: it cannot be read, or none of its images can be scored.
    """
    found = {}
    for place in further_places(plan.data):
        with naming(place):
            if place.columns:
                raise InputError("ALSO_EVALUATE: annotated images have no columns. Leave columns out.")
            own = _scored(_read(plan, place, reader_of), train, place)
        most = plan.data.max_eval_samples
        found[place.name] = sampled(own, most, plan.training.seed) if most else own
    return found


def _read(plan: Plan[ParamsT], place: DataPlace, reader_of: Callable[[Plan[ParamsT]], SplitReader]) -> AnnotatedSplit:
    """Return the split of a data set that is evaluated: by the run's names of annotation files, else by the usual."""
    own = plan_of(_in_file(plan, place.path), place)
    file = Path(place.path).expanduser()
    if file.is_file():
        own = attrs.evolve(own, data=attrs.evolve(own.data, custom_dataset_path=str(_root_of(file.absolute()))))
    for named in (own,) if file.is_file() else (own, _with_usual_names(own)):
        for split in _SPLITS:
            source = find_source(named, split)
            if source is None:
                continue
            try:
                return reader_of(named)(source, None)
            except (SplitNotFoundError, UnannotatedSplitError):
                continue
    raise InputError(
        "ALSO_EVALUATE: it has no annotations of objects under the run's names of annotation files, nor under usual "
        "ones. Give the annotation file as its path."
    )


def _root_of(file: Path) -> Path:
    """Return the folder that the images of an annotation file are searched in: above `annotations`, as in COCO."""
    return file.parent.parent if file.parent.name.casefold() == "annotations" else file.parent


def _in_file(plan: Plan[ParamsT], path: str) -> Plan[ParamsT]:
    """Return a plan whose validation split is one annotation file, where a data set is one."""
    file = Path(path).expanduser()
    return _with_names(plan, val_ann_file=str(file.absolute())) if file.is_file() else plan


def _with_usual_names(plan: Plan[ParamsT]) -> Plan[ParamsT]:
    fields = attrs.fields_dict(type(plan.task.params))
    names = ("train_ann_file", "val_ann_file", "test_ann_file")
    return _with_names(plan, **{name: fields[name].default or "test.json" for name in names})


def _with_names(plan: Plan[ParamsT], **names: Any) -> Plan[ParamsT]:
    return attrs.evolve(plan, task=attrs.evolve(plan.task, params=attrs.evolve(plan.task.params, **names)))


def _scored(split: AnnotatedSplit, train: AnnotatedSplit, place: DataPlace) -> AnnotatedSplit:
    """Return the images of a split whose objects all have classes of the training split."""
    own = {category.id: category.name for category in split.categories}
    foreign = {number for number, name in own.items() if name not in train.names}
    kept = tuple(image for image in split.images if not any(one["category_id"] in foreign for one in image.annotations))
    dropped = len(split.images) - len(kept)
    if not any(image.annotations for image in kept):
        raise DataError(
            f"ALSO_EVALUATE: no image of {place} can be scored: its classes are {', '.join(map(repr, own.values()))}, "
            f"and those of the run {', '.join(map(repr, train.names))}. Rename its classes, or leave it out."
        )
    if dropped:
        names = ", ".join(sorted(repr(own[number]) for number in foreign))
        message = "ALSO_EVALUATE: %d of %d images of %s are left out: they have objects of %s, which the run has not."
        log.warning(message, dropped, len(split.images), place, names)
    return match_classes(attrs.evolve(split, images=kept, dropped={**split.dropped, **_counted(dropped)}), train)


def _counted(dropped: int) -> dict[str, int]:
    return {"objects of another class": dropped} if dropped else {}
