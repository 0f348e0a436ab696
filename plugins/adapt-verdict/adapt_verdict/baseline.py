"""The number to beat: what the majority class and a logistic regression reach on the validation split, in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy

from adapt_core.contracts.data_check import CheckSkipped, Finding, Subject
from adapt_core.runtime.format import score

from adapt_verdict.classifier import fit
from adapt_verdict.entities import entity_scores
from adapt_verdict.features import Labelled, labelled


class BaselineCheck:
    """Fits plain classifiers on training and scores them on validation (on test, where there is no validation)."""

    def examine(self, subject: Subject) -> list[Finding] | None:
        """Return what each baseline reaches; None where the data has no classes, or no split to score on."""
        split = next((name for name in ("validation", "test") if name in subject.splits), None)
        examples = labelled(subject, ["train", split]) if split and "train" in subject.splits else None
        if split is None or examples is None or _is_of_boxes(subject, examples):
            return None
        fitted, scored = (
            numpy.array([row for row, place in enumerate(examples.places) if place[0] == name], dtype=int)
            for name in ("train", split)
        )
        labels = numpy.array(examples.labels, dtype=object)
        if not len(fitted) or not len(scored):
            raise CheckSkipped(f"{'training' if not len(fitted) else split} has no labels")
        if len(set(labels[fitted])) < 2:
            raise CheckSkipped(f"all training examples are of the class {labels[fitted][0]}{examples.extent}")
        majority = Counter(labels[fitted]).most_common(1)[0][0]
        model = fit(examples, fitted, labels[fitted].astype(str), subject.plan.training.seed)
        predictions = {
            f"the majority class, {majority}": [majority] * len(scored),
            f"logistic regression on {examples.described}": list(model.predict(examples.matrix[scored])),
        }
        ends = _sentence_ends(examples, scored.tolist())
        truth = [str(name) for name in labels[scored]]
        return [
            _finding(subject, split, f"{name}{examples.extent}", scores(truth, found, ends))
            for name, found in predictions.items()
        ]


def _is_of_boxes(subject: Subject, examples: Labelled) -> bool:
    """Return whether the labels are of boxes, where finding them is the task."""
    return examples.places[0][2] is not None and len(subject.splits["train"].images) > 0


def _sentence_ends(examples: Labelled, scored: Sequence[int]) -> list[int] | None:
    """Return after how many of the scored words each sentence ends; None where the labels are of whole rows."""
    if examples.places[0][2] is None:
        return None
    rows = [examples.places[number][1] for number in scored]
    return [number + 1 for number, row in enumerate(rows) if number + 1 == len(rows) or rows[number + 1] != row]


def scores(truth: Sequence[str], found: Sequence[str], ends: Sequence[int] | None) -> dict[str, float]:
    """Return accuracy and macro-F1 of labels; of words with entity tags also precision, recall and F1 of entities."""
    from sklearn.metrics import accuracy_score, f1_score

    reached = {"accuracy": float(accuracy_score(truth, found))}
    if ends is not None and any(name[:2] in ("B-", "I-") for name in truth):
        return {**entity_scores(truth, found, ends), **reached}
    names = sorted({*truth, *found})
    return {**reached, "macro_f1": float(f1_score(truth, found, labels=names, average="macro", zero_division=0))}


def _finding(subject: Subject, split: str, name: str, reached: dict[str, float]) -> Finding:
    """Return the finding of a baseline; only metrics that the task reports are to be beaten, the deciding one first."""
    own = {metric: reached[metric] for metric in subject.metrics if metric in reached}
    told = ", ".join(f"{metric} {score(value)}" for metric, value in (own or reached).items())
    return Finding(
        message=f"to beat: {name}: {told} on {split}.",
        figures=own or reached,
        to_beat=own if split == "validation" else {},
    )
