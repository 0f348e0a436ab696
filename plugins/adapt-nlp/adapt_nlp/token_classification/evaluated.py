"""What an evaluation finds of each document whose words are tagged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from adapt_core.evaluated_rows import EvaluatedRows, sums
from adapt_core.hf.data.labels import IGNORED

from adapt_nlp.token_classification.metrics import TagRows, counted_scores
from adapt_nlp.token_classification.schemes import entities_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

Measured = tuple[dict[str, tuple[Any, Any]], Callable[["NDArray[numpy.intp]"], Mapping[str, float]], float]
"""What `EvaluatedRows` has as ratios, measure and cost."""


def tags_and_confidence(
    logits: torch.Tensor | tuple[torch.Tensor, ...], _labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the best tag of each sub-token and its probability, computed on the device.

    Args:
        logits: float tensor (windows, sub-tokens, tags), or a tuple that begins with it.
    """
    scores = logits[0] if isinstance(logits, tuple) else logits
    return scores.argmax(dim=-1), scores.float().softmax(dim=-1).amax(dim=-1)


def tagged_rows(truth: TagRows, predicted: TagRows, confidence: Mapping[int, float], *, words: bool) -> EvaluatedRows:
    """Return what was found of documents. One is right where each of its tags is.

    Args:
        truth, predicted: tags of each document as the metrics take them.
        confidence: the documents, by their position in the rows of the split, in that order -> the least probability of
            a tag in it.
        words: score words (pos), not entities.
    """
    ratios, measure, cost = _of_words(truth, predicted) if words else _of_entities(truth, predicted)
    return EvaluatedRows(
        kind="tags",
        rows=list(confidence),
        expected=truth,
        predicted=predicted,
        confidence=list(confidence.values()),
        right=[true == found for true, found in zip(truth, predicted, strict=True)],
        ratios=ratios,
        cost=cost,
        measure=measure,
    )


def least_confidence(
    probabilities: NDArray[Any], gold: Sequence[Sequence[int]], words: Sequence[Sequence[int]], documents: Sequence[int]
) -> dict[int, float]:
    """Return document -> the least probability of a tag in it, documents in order; see `join_windows`."""
    found: dict[int, float] = defaultdict(lambda: 1.0)
    for number, document in enumerate(documents):
        places = numpy.asarray(words[number])
        counted = (places >= 0) & (numpy.asarray(gold[number]) != IGNORED)
        if counted.any():
            found[document] = min(found[document], float(probabilities[number][: len(places)][counted].min()))
    return dict(sorted(found.items()))


def _right_words(truth: TagRows, predicted: TagRows) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
    right = [sum(map(str.__eq__, true, found)) for true, found in zip(truth, predicted, strict=True)]
    return numpy.array(right, dtype=float), numpy.array([len(true) for true in truth], dtype=float)


def _of_entities(truth: TagRows, predicted: TagRows) -> Measured:
    entities = [({*entities_of(true)}, {*entities_of(found)}) for true, found in zip(truth, predicted, strict=True)]
    true, found, both = (
        numpy.array(each, dtype=float)
        for each in zip(*((len(one), len(other), len(one & other)) for one, other in entities), strict=True)
    )
    right, every = _right_words(truth, predicted)
    table = numpy.column_stack([true, found, both, right, every])

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        return counted_scores(*(int(total) for total in sums(table, sample)))

    ratios = {
        "f1": (2 * both, true + found),
        "precision": (both, found),
        "recall": (both, true),
        "accuracy": (right, every),
    }
    return ratios, measure, 2.0


def _of_words(truth: TagRows, predicted: TagRows) -> Measured:
    names = sorted({tag for rows in (truth, predicted) for row in rows for tag in row})
    number_of = {name: number for number, name in enumerate(names)}
    counts = numpy.zeros((len(truth), 3, len(names)))
    for row, pair in enumerate(zip(truth, predicted, strict=True)):
        true, found = (numpy.array([number_of[tag] for tag in tags], dtype=int) for tags in pair)
        for column, ids in enumerate((true, found, true[true == found])):
            counts[row, column] = numpy.bincount(ids, minlength=len(names))
    table = counts.reshape(len(truth), -1)

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        true, found, both = sums(table, sample).reshape(3, -1)
        occurs = true + found > 0
        return {
            "accuracy": float(both.sum() / true.sum()),
            "macro_f1": float((2 * both[occurs] / (true + found)[occurs]).mean()),
        }

    right, every = _right_words(truth, predicted)
    return {"accuracy": (right, every)}, measure, max(1.0, table.shape[1] / 8)
