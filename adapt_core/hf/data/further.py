"""Further data sets that a run evaluates (ALSO_EVALUATE): found, read, without rows that its task cannot score."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from adapt_core.config.data_places import DataPlace, further_places
from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.evaluation import further_split
from adapt_core.hf.data.class_names import with_classes_of
from adapt_core.hf.data.first_look import Require, check_columns
from adapt_core.hf.data.places import naming, renamed
from adapt_core.hf.data.row_places import remember_renamed
from adapt_core.hf.data.selection import sample
from adapt_core.hf.data.source import check_data_source, load_place
from adapt_core.hf.data.splits import Faults

if TYPE_CHECKING:
    from datasets import Dataset
    from datasets.features.features import FeatureType

SPLITS = ("validation", "test", "train")
"""Of these the first that a data set has is evaluated."""

log = logging.getLogger(__name__)


def plan_of(plan: Plan, place: DataPlace) -> Plan:
    """Return the plan of a run on one of its further data sets alone."""
    own = attrs.evolve(plan.data, dataset=None, train_dir=None, val_dir=None, test_dir=None, also_evaluate=None)
    return attrs.evolve(plan, data=place.of(own))


def check_further(plan: Plan, require: Require) -> None:
    """Check that the further data sets are there, with the columns that a task reads.

    Args:
        plan: of the run.
        require: see `check_columns`; of the run's names of columns.

    Raises:
        InputError, DataError: they cannot be used; the message names the data set.
    """
    for place in further_places(plan.data):
        with naming(place):
            check_tables(plan_of(plan, place), place, require)


def check_tables(own: Plan, place: DataPlace, require: Require) -> None:
    """Check that the tables of a further data set are there; their columns, where they have the run's names.

    Args:
        own: what `plan_of` returned.
        place: the data set.
        require: see `check_further`.
    """
    check_data_source(own.data, own.formats)
    if not place.columns:
        check_columns(own, require)


def _of_tables(plan: Plan, place: DataPlace) -> Mapping[str, Dataset]:
    return load_place(plan.data, plan.formats)


def further_rows(
    plan: Plan,
    faults: Faults,
    features: Mapping[str, FeatureType],
    read: Callable[[Plan, DataPlace], Mapping[str, Dataset]] = _of_tables,
) -> tuple[dict[str, Dataset], dict[str, Mapping[str, int]]]:
    """Return the good rows of each further data set by name, and how many there are and were dropped.

    Rows that the task cannot score (a label that the model does not have) are dropped with a warning, whatever
    SKIP_BAD_ROWS says; of the others at most MAX_EVAL_SAMPLES are taken.

    Args:
        plan: of the run.
        faults: (rows, split) -> for each row what is wrong with it, or None.
        features: of the run's own rows, which number classes in their way.
        read: (the plan of a data set, the data set) -> its splits.

    Raises:
        DataError: a data set cannot be read, or no row of it can be scored; the message names it.
    """
    found: dict[str, Dataset] = {}
    counts: dict[str, Mapping[str, int]] = {}
    for place in further_places(plan.data):
        with naming(place):
            splits = read(plan_of(plan, place), place)
            split = next(name for name in SPLITS if name in splits)
            own = renamed(splits[split], place, split)
            rows = with_classes_of(own, features)
            remember_renamed(own, rows, split)
            told = list(faults(rows, further_split(place.name)))
        good = [number for number, fault in enumerate(told) if not fault]
        if not good:
            first = f"row 1: {told[0]}" if told else "there is none"
            raise DataError(f"ALSO_EVALUATE: no row of {place} can be scored ({first}). Correct the data.")
        dropped = len(told) - len(good)
        if dropped:
            bad = next(number for number, fault in enumerate(told) if fault)
            message = "ALSO_EVALUATE: %d of %d rows of %s are left out; row %d: %s"
            log.warning(message, dropped, len(told), place, bad + 1, told[bad])
        most = plan.data.max_eval_samples
        if most is not None and most < len(good):
            good = [good[number] for number in sample(len(good), most, plan.training.seed, None)]
        found[place.name] = rows.select(good)
        counts[place.name] = {"rows": len(good), "dropped": dropped}
    return found, counts
