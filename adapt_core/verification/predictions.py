"""The check of what a trained model predicts: findings that its metrics alone hide.

A model that answers every row with the most frequent class scores that class's share, and its metric rises to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapt_core.errors import first_of
from adapt_core.evaluation import PerClass, Sample

_ADVICE = "raise EPOCHS or LR (adapters often need 5e-4 to 2e-3); lower LR if the training loss rose"


def class_findings(table: PerClass, split: str) -> list[str]:
    """Return what is wrong with the predictions of classes: one class for all, or none, or no better than that.

    Args:
        table: of one evaluation.
        split: its name, for the text: "validation".
    """
    truth, right = table.true, table.right
    if table.predicted is None or truth is None or right is None:
        nothing = table.predicted is not None and table.labels and not any(table.predicted)
        return [f"nothing was found in the {split} split, which has {first_of(table.labels)}: {_ADVICE}"] * bool(
            nothing
        )
    rows, hits = sum(truth), sum(right)
    if max(truth, default=0) == rows:
        return []  # One class in the data: to answer with it is right.
    most = max(range(len(truth)), key=truth.__getitem__)
    if max(table.predicted) == rows:
        only = table.labels[table.predicted.index(rows)]
        return [f"the model predicts {only!r} for all {rows} of the {split} split ({hits} are right): {_ADVICE}"]
    if hits <= truth[most]:
        return [
            f"{hits} of {rows} predictions on the {split} split are right, no better than always answering "
            f"{table.labels[most]!r} ({truth[most]}): {_ADVICE}"
        ]
    return []


def text_findings(samples: Sequence[Sample], split: str) -> list[str]:
    """Return that every text of the samples is empty, where one was expected.

    Args:
        samples: see `adapt_core.capabilities.SupportsSamples`.
        split: its name.
    """
    texts = [(sample["expected"], sample["predicted"]) for sample in samples]
    written = [(expected, text) for expected, text in texts if isinstance(expected, str) and isinstance(text, str)]
    empty = written and any(expected.strip() for expected, _ in written) and not any(t.strip() for _, t in written)
    return [f"the model writes nothing: all {len(written)} samples of the {split} split are empty"] * bool(empty)


def score_findings(metrics: Mapping[str, float], name: str, direction: str | None, split: str) -> list[str]:
    """Return that the metric which decides what is best has its worst value, 0.

    Args:
        metrics: of one evaluation.
        name: of that metric.
        direction: "higher" or "lower" is better; None where that is not known.
        split: the split's name.
    """
    worst = direction == "higher" and metrics.get(name) == 0
    return [f"{name} is 0 on the {split} split, so no prediction is right: {_ADVICE}"] * worst
