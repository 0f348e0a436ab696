"""Entity scores for ner and chunk, accuracy and macro-F1 of words for pos.

Entities are scored as the CoNLL shared task on chunking does (Tjong Kim Sang and Buchholz, 2000): an entity counts
where its type and all of its words are right. seqeval (Nakayama, 2018) computes them.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from adapt_core.evaluation import PerClass
from adapt_core.hf.data.labels import IGNORED

from adapt_nlp.metrics.classification import classification_scores

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
    from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

    with _without_warnings():
        return {
            "f1": float(f1_score(truth, predicted, zero_division=0)),
            "precision": float(precision_score(truth, predicted, zero_division=0)),
            "recall": float(recall_score(truth, predicted, zero_division=0)),
            "accuracy": float(accuracy_score(truth, predicted)),
        }


def word_scores(truth: TagRows, predicted: TagRows) -> dict[str, float]:
    """Return accuracy and macro-F1 over the words of all documents."""
    return classification_scores([tag for row in truth for tag in row], [tag for row in predicted for tag in row])


def entity_table(truth: TagRows, predicted: TagRows) -> PerClass:
    """Return precision, recall, F1 and number of the entities of each type; tags as for `entity_scores`."""
    from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

    with _without_warnings():
        found = Counter(kind for kind, _, _ in get_entities(predicted))
        types = sorted({*found, *(kind for kind, _, _ in get_entities(truth))})
        figures = precision_recall_fscore_support(truth, predicted, average=None, zero_division=0)
    names = ("precision", "recall", "f1", "entities")
    table = {name: values.tolist() for name, values in zip(names, figures, strict=True)}
    return PerClass(labels=tuple(types), figures=table, predicted=[found[kind] for kind in types])


def word_table(truth: TagRows, predicted: TagRows) -> PerClass:
    """Return precision, recall, F1 and number of the words of each tag, and the confusion counts."""
    from adapt_core.hf.loop.per_class import class_table

    names = sorted({tag for rows in (truth, predicted) for row in rows for tag in row})
    numbers = {name: number for number, name in enumerate(names)}
    true_ids, predicted_ids = ([numbers[tag] for row in rows for tag in row] for rows in (truth, predicted))
    return class_table(true_ids, predicted_ids, names)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence seqeval, which warns of tags without a prefix and of no predicted entity and scores them correctly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
