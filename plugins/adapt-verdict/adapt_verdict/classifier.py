"""Logistic regression: fitted on training rows, or out of fold, each row judged by a model that has not seen it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy

from adapt_verdict.features import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5

FOLDS_OF_PARTS = 3
"""Of words and boxes, which are many."""

SMALL = 1_000
"""Up to this many dense rows logistic regression is fitted by L-BFGS; more, and sparse ones, by stochastic gradient
descent, one class against the others: ten times as fast, and less sure of labels that are wrong."""


@attrs.frozen(eq=False)
class Judged:
    """Class probabilities out of fold.

    Attributes:
        rows: numbers of the examples that were judged, among all; those of classes with fewer than FOLDS are not.
        labels: the class of each, as a number.
        probabilities: (rows, classes) floats.
        names: class names by number.
    """

    rows: NDArray[numpy.int64]
    labels: NDArray[numpy.int64]
    probabilities: NDArray[numpy.float64]
    names: list[str]


def _new_model(examples: Labelled, seed: int) -> Any:
    """Return an unfitted classifier of examples."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if not isinstance(examples.matrix, numpy.ndarray):
        alpha, steps = (1e-4, 12) if examples.places[0][2] is None else (6e-5, 5)
        return SGDClassifier(loss="log_loss", alpha=alpha, max_iter=steps, tol=1e-3, random_state=seed)
    if len(examples) > SMALL:
        model = SGDClassifier(loss="log_loss", alpha=1e-3, max_iter=20, tol=1e-3, random_state=seed)
        return make_pipeline(StandardScaler(), model)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))


def fit(examples: Labelled, rows: NDArray[numpy.int64], labels: Any, seed: int) -> Any:
    """Return a classifier fitted to rows of the examples with these labels. Its steps are bounded, converged or not."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _new_model(examples, seed).fit(examples.matrix[rows], labels)


def judge_out_of_fold(examples: Labelled, seed: int) -> Judged | None:
    """Return what a classifier makes of each example that it was not fitted on; None with fewer than two classes.

    Words and boxes of one row, and rows of one group (GROUP_COLUMN), stay in one fold.

    Args:
        examples: of the splits.
        seed: of the folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    count_of_folds = FOLDS if examples.places[0][2] is None else FOLDS_OF_PARTS
    counts = Counter(examples.labels)
    names = sorted(name for name, count in counts.items() if count >= FOLDS)
    if len(names) < 2:
        return None
    number = {name: position for position, name in enumerate(names)}
    rows = numpy.array([row for row, name in enumerate(examples.labels) if name in number])
    labels = numpy.array([number[examples.labels[row]] for row in rows])
    probabilities = numpy.zeros((len(rows), len(names)))
    if examples.groups is not None:
        groups = _numbered(examples.groups, rows)
        folds = StratifiedGroupKFold(count_of_folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    else:
        folds = StratifiedKFold(count_of_folds, shuffle=True, random_state=seed).split(labels, labels)
    for fitted, judged in folds:
        if not len(judged):
            continue
        if len(set(labels[fitted])) < 2:
            return None
        model = fit(examples, rows[fitted], labels[fitted], seed)
        found = model.predict_proba(examples.matrix[rows[judged]])
        probabilities[numpy.ix_(judged, model.classes_)] = found
    return Judged(rows, labels, probabilities, names)


def _numbered(groups: Sequence[Any], rows: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """Return groups as numbers; a row without a group is a group of its own."""
    known: dict[Any, int] = {}
    keys = [("row", int(row)) if groups[row] is None else ("group", groups[row]) for row in rows]
    return numpy.array([known.setdefault(key, len(known)) for key in keys])
