"""Entity scores for ner and chunk, accuracy and macro-F1 of words for pos.

Entities are scored as the CoNLL shared task on chunking does (Tjong Kim Sang and Buchholz, 2000): an entity counts
where its type and all of its words are right. The values are those of seqeval (Nakayama, 2018), whose import takes a
second of a run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.evaluation import PerClass
from adapt_core.hf.data.labels import IGNORED

from adapt_nlp.metrics.classification import classification_scores
from adapt_nlp.token_classification.schemes import entities_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

TagRows = list[list[str]]
"""The tag names of each document."""


def join_windows(
    predicted: NDArray[Any], gold: Sequence[Sequence[int]], words: Sequence[Sequence[int]], documents: Sequence[int]
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the tag ids of each document, truth and prediction, words in order.

    Args:
        predicted: int array (windows, sub-tokens), padded on the right.
        gold: for each window the tag id of each sub-token, IGNORED where it predicts no word.
        words: for each window the index of the word that each sub-token predicts, or -1.
        documents: the document of each window.
    """
    found: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    for number, document in enumerate(documents):
        for token, word in enumerate(words[number]):
            if word >= 0 and gold[number][token] != IGNORED:
                found[document][word] = (gold[number][token], int(predicted[number][token]))
    ordered = [[found[document][word] for word in sorted(found[document])] for document in sorted(found)]
    return [[pair[0] for pair in row] for row in ordered], [[pair[1] for pair in row] for row in ordered]


def entity_scores(truth: TagRows, predicted: TagRows) -> dict[str, float]:
    """Return precision, recall and F1 of entities over all types (micro), and accuracy of words.

    Args:
        truth, predicted: tags of each document as `as_entity_tags` returns them.
    """
    every = sum(_entity_counts(truth, predicted).values(), start=_Counts())
    words = [pair for rows in zip(truth, predicted, strict=True) for pair in zip(*rows, strict=True)]
    right = sum(true == found for true, found in words)
    return counted_scores(every.true, every.found, every.right, right, len(words))


def counted_scores(true: int, found: int, right: int, right_words: int, words: int) -> dict[str, float]:
    """Return the scores of entities that are counted: of the truth, of the prediction, of both; and of words."""
    every = _Counts(true, found, right)
    accuracy = right_words / words
    return {"f1": every.f1, "precision": every.precision, "recall": every.recall, "accuracy": accuracy}


def seqeval(predicted: TagRows, expected: TagRows) -> dict[str, float]:
    """Return the scores of entities, see `entity_scores`; the metric of that name in METRICS."""
    return entity_scores(expected, predicted)


def word_scores(truth: TagRows, predicted: TagRows) -> dict[str, float]:
    """Return accuracy and macro-F1 over the words of all documents."""
    return classification_scores([tag for row in truth for tag in row], [tag for row in predicted for tag in row])


def entity_table(truth: TagRows, predicted: TagRows) -> PerClass:
    """Return precision, recall, F1 and number of the entities of each type; tags as for `entity_scores`."""
    counts = dict(sorted(_entity_counts(truth, predicted).items()))
    figures = {name: [getattr(each, name) for each in counts.values()] for name in ("precision", "recall", "f1")}
    figures["entities"] = [each.true for each in counts.values()]
    return PerClass(labels=tuple(counts), figures=figures, predicted=[each.found for each in counts.values()])


def word_table(truth: TagRows, predicted: TagRows) -> PerClass:
    """Return precision, recall, F1 and number of the words of each tag, and the confusion counts."""
    from adapt_core.hf.loop.per_class import class_table

    names = sorted({tag for rows in (truth, predicted) for row in rows for tag in row})
    numbers = {name: number for number, name in enumerate(names)}
    true_ids, predicted_ids = ([numbers[tag] for row in rows for tag in row] for rows in (truth, predicted))
    return class_table(true_ids, predicted_ids, names)


@attrs.frozen
class _Counts:
    """Entities of the truth, of the prediction, and of both."""

    true: int = 0
    found: int = 0
    right: int = 0

    def __add__(self, other: _Counts) -> _Counts:
        return _Counts(self.true + other.true, self.found + other.found, self.right + other.right)

    @property
    def precision(self) -> float:
        """The share of found entities that are right; 0 where none was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of true entities that were found; 0 where there are none."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def _entity_counts(truth: TagRows, predicted: TagRows) -> dict[str, _Counts]:
    """Return type -> its counts over all documents."""
    counts = []
    for rows in (truth, predicted):
        counts.append({(document, *entity) for document, tags in enumerate(rows) for entity in entities_of(tags)})
    true, found, right = (Counter(kind for _, kind, _, _ in each) for each in (*counts, counts[0] & counts[1]))
    return {kind: _Counts(true[kind], found[kind], right[kind]) for kind in {*true, *found}}
