"""Class labels: their names, their ids, the labels of a row that are not usable, and class weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values

if TYPE_CHECKING:
    from datasets import Dataset

IGNORED = -100
"""The label id that is neither trained nor scored: the `ignore_index` of torch's cross-entropy."""


@attrs.frozen
class Labels:
    """The classes of a data set.

    Attributes:
        names: by id.
        ids: raw label -> id.
    """

    names: tuple[str, ...]
    ids: Mapping[Any, int]

    def fault(self, value: object) -> str | None:
        """Return why a raw label of the training split is not usable, or None."""
        if value is None:
            return "the label is missing (null)"
        return None if value in self.ids else f"label {value!r} is not usable"

    def unseen_fault(self, value: object) -> str | None:
        """Return why a raw label of a validation or test row is not usable, or None."""
        if value is None:
            return "the label is missing (null)"
        if isinstance(value, (list, dict)):
            return f"the label is a {type(value).__name__}, not text or a whole number"
        if value in self.ids:
            return None
        known = ", ".join(self.names[:10]) + (", ..." if len(self.names) > 10 else "")
        return f"label {value!r} never occurs in the training split ({known})"


def read_labels(dataset: Dataset, column: str) -> Labels:
    """Return the classes of a training split.

    A ClassLabel column keeps its names and ids. Text labels are numbered in alphabetical order, whole numbers in
    their order.

    Raises:
        DataError: a label is neither text nor a whole number, or there are fewer than two classes.
    """
    feature = dataset.features[column]
    names = getattr(feature, "names", None)
    if names:
        return Labels(tuple(names), {number: number for number in range(len(names))})
    values = {value for value in column_values(dataset, column) if _hashable(value, column)}
    found = {value for value in values if value is not None and not (isinstance(value, str) and not value.strip())}
    found = {value for value in found if not isinstance(value, float) or math.isfinite(value)}
    if all(isinstance(value, float) and value.is_integer() for value in found):
        found = {int(value) for value in found}
    if not all(isinstance(value, (str, int)) for value in found):
        odd = next(value for value in found if not isinstance(value, (str, int)))
        raise DataError(f"column {column!r} contains {odd!r}: a label is text or a whole number.")
    if len(found) < 2:
        count = "only one class" if found else "no class"
        raise DataError(f"column {column!r} has {count} in the training split; classification needs two or more.")
    ordered = sorted(found, key=lambda value: (isinstance(value, str), value))
    return Labels(tuple(str(value) for value in ordered), {value: number for number, value in enumerate(ordered)})


def _hashable(value: object, column: str) -> bool:
    if isinstance(value, (list, dict)):
        raise DataError(f"column {column!r} contains {type(value).__name__}s: a label is text or a whole number.")
    return True


def class_weights(
    wanted: str | Mapping[str, object] | None, labels: Iterable[int], names: Sequence[str]
) -> list[float] | None:
    """Return the loss weights by class id (CLASS_WEIGHTS), or None where all are equal.

    balanced: rows / (classes * rows of the class), as "balanced" in scikit-learn (King and Zeng, 2001).

    Args:
        wanted: balanced, or a mapping of class to weight.
        labels: the class id of each training row.
        names: the classes by id.

    Raises:
        DataError: a mapping lacks a class of the data or has another one.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        counts = Counter(labels)
        rows = sum(counts.values())
        return [rows / (len(names) * counts[number]) if counts[number] else 0.0 for number in range(len(names))]
    strange, missing = set(wanted) - set(names), set(names) - set(wanted)
    if strange or missing:
        raise DataError(
            f"CLASS_WEIGHTS must name each class once; "
            f"{'missing: ' + ', '.join(sorted(missing)) if missing else 'unknown: ' + ', '.join(sorted(strange))}."
        )
    return [float(str(wanted[name])) for name in names]
