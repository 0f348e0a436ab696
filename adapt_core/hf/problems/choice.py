"""The kind of a problem, from the keys and the training rows. Data that means one label today keeps that meaning."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.errors import DataError, InputError, first_of
from adapt_core.hf.data.columns import column_values, number_of
from adapt_core.hf.data.labels import Labels, in_order, label_name, read_labels, unusable_label
from adapt_core.hf.data.places import naming
from adapt_core.hf.data.row_places import parts_of
from adapt_core.hf.problems.decimal_commas import decimal_of, has_decimal_commas
from adapt_core.hf.problems.kinds import AUTO, MULTI_LABEL, REGRESSION, SINGLE_LABEL
from adapt_core.hf.problems.params import ProblemParams, kind_that_goes_on, require_one_label, wanted_kind
from adapt_core.hf.problems.separators import find_separator
from adapt_core.hf.problems.targets import (
    LabelSets,
    Numbers,
    OneHot,
    OneLabel,
    Targets,
    cells_of,
    labels_in,
    one_or_zero,
    target_values,
)
from adapt_core.hf.problems.written_lists import read_column, size_of_vectors
from adapt_core.run_folder.model_data import of_start

if TYPE_CHECKING:
    from datasets import Dataset

_MANY = 20

log = logging.getLogger(__name__)


@attrs.frozen
class Choice:
    """The kind of a data set's problem.

    Attributes:
        targets: reads its rows.
        reason: what it was known by.
    """

    targets: Targets
    reason: str

    def __str__(self) -> str:
        return f"{self.targets.kind} ({self.reason})"


def target_columns(plan: Plan[ProblemParams]) -> list[str]:
    """Return the columns of the target: target_columns, target_column, or `label`."""
    several = plan.task.params.target_columns
    return list(several) if several else [str(plan.data.target_column or "label")]


def required_targets(plan: Plan[ProblemParams]) -> list[tuple[str, str]]:
    """Return the columns of the target, each with the key that names it, as `require_columns` takes them."""
    key = "target_columns" if plan.task.params.target_columns else "target_column"
    return [(name, key) for name in target_columns(plan)]


def choose_problem(plan: Plan[ProblemParams], rows: Dataset, columns: Sequence[str]) -> Choice:
    """Return the kind of problem that the rows pose, and say so in the log where it is not one label.

    With START_FROM it is the kind that the model learned, and labels get that model's ids.

    Args:
        plan: for problem_type, target_columns and label_separator.
        rows: of the training split.
        columns: of the target.

    Raises:
        DataError: the rows do not fit the kind, or do not tell which it is.
        InputError: those of several data sets pose different ones (the message names the place); or ABSTAIN_PRECISION
            is given and the rows have not one label each; or the model of START_FROM learned another kind, or does not
            know a label of the rows.
    """
    params = plan.task.params
    before = of_start(plan.model.start_from)
    kind = wanted_kind(params) if before is None else kind_that_goes_on(params, before)

    def kind_of(part: Dataset) -> tuple[str, str]:
        if params.target_columns:
            return _kind_of_columns(part, columns), f"columns {', '.join(columns[:_MANY])}"
        return _kind_of_column(part, columns[0], read_column(part, columns[0]))

    if kind == AUTO:
        _require_one_kind(parts_of(rows, "train"), kind_of)
    if params.target_columns:
        choice = _of_columns(rows, columns, kind)
    else:
        known = None if before is None else before.labels
        choice = _of_column(rows, columns[0], kind, params.label_separator, known)
    require_one_label(params, choice.targets.kind)
    if choice.targets.kind != SINGLE_LABEL:
        log.info("problem_type: %s", choice)
    return choice


def _require_one_kind(parts: Sequence[tuple[str, Dataset]], kind_of: Callable[[Dataset], tuple[str, str]]) -> None:
    first: tuple[str, str, str] | None = None
    for place, rows in parts:
        with naming(place):
            kind, reason = kind_of(rows)
        if first is not None and kind != first[1]:
            raise InputError(
                f"{place}: problem_type: {kind} ({reason}), and {first[0]} is {first[1]} ({first[2]}). Say what all of "
                "them are (problem_type: ...), or give them targets of one kind."
            )
        first = first or (place, kind, reason)


def _of_columns(rows: Dataset, columns: Sequence[str], kind: str) -> Choice:
    if kind == AUTO:
        kind = _kind_of_columns(rows, columns)
    named = ", ".join(columns[:_MANY])
    if kind == MULTI_LABEL:
        return Choice(OneHot(tuple(columns)), f"a column of 0 and 1 for each label: {named}")
    commas = frozenset(name for name in columns if has_decimal_commas(name, column_values(rows, name)))
    return Choice(Numbers(tuple(columns), commas=commas), f"a column for each number: {named}{_told(commas)}")


def _kind_of_columns(rows: Dataset, columns: Sequence[str]) -> str:
    """Return MULTI_LABEL where all numbers are 0 or 1, REGRESSION where each column has others and one a fraction.

    Raises:
        DataError: some columns have 0 and 1 alone, or no number has a fraction.
    """
    others: dict[str, str] = {}
    fraction = False
    for row, value in enumerate(target_values(rows, columns), start=1):
        for name, cell in zip(columns, cells_of(value), strict=True):
            number = number_of(cell)
            if number is not None and one_or_zero(cell) is None:
                others.setdefault(name, f"training row {row}: column {name!r} is {cell!r}, neither 0 nor 1")
                fraction = fraction or not number.is_integer()
    if not others:
        return MULTI_LABEL
    if fraction and len(others) == len(columns):
        return REGRESSION
    raise DataError(
        f"{next(iter(others.values()))}, so the columns are not labels, nor all of them numbers with a fraction. Say "
        "what they are, problem_type: multi_label or regression, or correct the row."
    )


def _of_column(rows: Dataset, column: str, kind: str, separator: str | None, known: tuple[str, ...] | None) -> Choice:
    values = read_column(rows, column)
    asked = f"problem_type: {kind}"
    if kind == AUTO:
        kind, asked = _kind_of_column(rows, column, values)
        if kind == SINGLE_LABEL:
            _say_of_amounts(column, values)
    if kind == REGRESSION:
        numbers = _numbers(column, values)
        return Choice(numbers, f"{asked}{_told(numbers.commas)}")
    if kind == SINGLE_LABEL:
        return Choice(OneLabel(read_labels(rows, column, known)), asked)
    size = size_of_vectors(rows, column, values)
    if size:
        names = tuple(f"{column}_{number}" for number in range(1, size + 1))
        return Choice(OneHot(names, listed=column), f"column {column!r} has lists of {size} numbers 0 and 1")
    if separator is None and not any(isinstance(value, list) for value in values):
        separator = find_separator(column, values)
        asked += f", labels parted by {separator!r}" if separator else ""
    elif separator is not None:
        asked = f"label_separator {separator!r}"
    sets = _label_sets(rows, column, values, separator)
    if known is not None:
        occurring = (item for value in values for item in labels_in(value, separator))
        sets = attrs.evolve(sets, labels=sets.labels.as_known(occurring, known))
    return Choice(sets, asked)


def _kind_of_column(rows: Dataset, column: str, values: Sequence[Any]) -> tuple[str, str]:
    """Return the kind of one column, and what it was known by."""
    lists = [value for value in values if isinstance(value, list)]
    if lists and _have_fractions(item for value in lists for item in value):
        return REGRESSION, f"column {column!r} has lists of numbers with a fraction"
    if lists:
        return MULTI_LABEL, f"column {column!r} has lists"
    if getattr(rows.features[column], "names", None) is None and _have_fractions(values):
        return REGRESSION, f"column {column!r} has numbers with a fraction"
    return SINGLE_LABEL, f"column {column!r}"


def _say_of_amounts(column: str, values: Iterable[Any]) -> None:
    texts = {value for value in values if isinstance(value, str) and value.strip()}
    if len(texts) > 1 and _spell_fractions(texts):
        log.warning(
            "column %r has %d different numbers that the file spells as text, so each is a class. "
            "If they are amounts, set problem_type: regression.",
            column,
            len(texts),
        )


def _have_fractions(values: Iterable[object]) -> bool:
    """Return whether all values that are given are numbers, and one has a fraction."""
    numbers: list[float] = []
    for value in values:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers.append(float(value))
        elif value is not None:
            return False
    return any(math.isfinite(number) and not number.is_integer() for number in numbers)


def _spell_fractions(texts: Iterable[str]) -> bool:
    """Return whether texts are numbers, and one has a fraction, behind a point or a comma."""
    points, commas = ([read(text) for text in texts] for read in (number_of, decimal_of))
    return any(None not in numbers and _have_fractions(numbers) for numbers in (points, commas))


def _told(commas: Iterable[str]) -> str:
    """Return which columns are read with decimal commas, for the reason."""
    named = sorted(commas)
    return f", with a decimal comma in {first_of(map(repr, named))}" if named else ""


def _numbers(column: str, values: Sequence[Any]) -> Numbers:
    first = next((value for value in values if isinstance(value, list)), None)
    if first is None:
        return Numbers((column,), commas=frozenset([column] if has_decimal_commas(column, values) else []))
    if not first:
        raise DataError(f"column {column!r} has an empty list first; regression needs one number or more in each row.")
    return Numbers(tuple(f"{column}_{number}" for number in range(1, len(first) + 1)), listed=column)


def _label_sets(rows: Dataset, column: str, values: Sequence[Any], separator: str | None) -> LabelSets:
    feature = rows.features[column]
    names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
    if names:
        return LabelSets(Labels(tuple(names), numbered=True), separator)
    every = {label_name(item) for value in values for item in labels_in(value, separator)}
    classes = in_order((name for name in every if name is not None), column)
    if not classes:
        odd = next(((row, value) for row, value in enumerate(values, start=1) if labels_in(value, separator)), None)
        if odd is not None:
            row, value = odd
            raise unusable_label(rows, row, column, value)
        raise DataError(f"column {column!r} has no label in the training split; multi_label needs one or more.")
    unlabelled = sum(not labels_in(value, separator) for value in values)
    if unlabelled:
        log.info("column %r: %d of %d training rows have no label", column, unlabelled, len(values))
    return LabelSets(Labels(classes), separator)


def describe(choice: Choice, data: TaskData) -> None:
    """Add to the data of a run what its model and its reader need to know of the problem.

    One label is what a run without these facts means, so that it has none.
    """
    targets = choice.targets
    data.labels = targets.names
    if targets.kind == SINGLE_LABEL:
        data.stats["classes"] = len(targets.names)
        return
    data.facts = {**data.facts, "problem_type": targets.kind}
    data.stats["problem_type"] = str(choice)
    data.stats["labels" if targets.kind == MULTI_LABEL else "numbers"] = len(targets.names)
