"""Entity scores for ner and chunk, accuracy and macro-F1 for pos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from adapt_core.evaluation import PerClass

from adapt_nlp.token_classification.windows import IGNORED

ENTITY_METRICS = {"f1": "higher", "precision": "higher", "recall": "higher", "accuracy": "higher"}
WORD_METRICS = {"accuracy": "higher", "macro_f1": "higher"}


def documents_of(
    predicted: Any, gold: Sequence[Sequence[int]], places: Sequence[Sequence[int]], documents: Sequence[int]
) -> tuple[list[list[int]], list[list[int]]]:
    """Tag ids of whole documents, windows joined again and words in order.

    Args:
        predicted: int array (windows, sub-tokens), padded on the right.
        gold: for each window the tag id of each sub-token, IGNORED where none is asked for.
        places: for each window the word index of each sub-token, -1 where none is asked for.
        documents: for each window its document.

    Returns:
        (truth, prediction), a list of ids for each document.
    """
    found: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    for number, document in enumerate(documents):
        for place, word in enumerate(places[number]):
            if word >= 0 and gold[number][place] != IGNORED:
                found[document][word] = (gold[number][place], int(predicted[number][place]))
    ordered = [[found[document][word] for word in sorted(found[document])] for document in sorted(found)]
    return [[pair[0] for pair in row] for row in ordered], [[pair[1] for pair in row] for row in ordered]


def entity_scores(truth: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Precision, recall and F1 of whole entities over all types (micro), and accuracy of words, as seqeval's.

    Args:
        truth, predicted: tag names (B-X, I-X, O) of each document.
    """
    import warnings

    from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tags without a prefix, no predicted entity: seqeval scores them all the same
        return {
            "f1": float(f1_score(truth, predicted, zero_division=0)),
            "precision": float(precision_score(truth, predicted, zero_division=0)),
            "recall": float(recall_score(truth, predicted, zero_division=0)),
            "accuracy": float(accuracy_score(truth, predicted)),
        }


def word_scores(truth: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Accuracy of words and macro-F1 over the tags that occur, as scikit-learn computes them."""
    from sklearn.metrics import accuracy_score, f1_score

    flat = [tag for row in truth for tag in row], [tag for row in predicted for tag in row]
    return {
        "accuracy": float(accuracy_score(*flat)),
        "macro_f1": float(f1_score(*flat, average="macro", zero_division=0.0)),
    }


def entity_table(truth: list[list[str]], predicted: list[list[str]]) -> PerClass:
    """Precision, recall and F1 of whole entities of each type, and how many there are."""
    import warnings

    from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in entity_scores
        types = sorted({kind for rows in (truth, predicted) for kind, _, _ in get_entities(rows)})
        figures = precision_recall_fscore_support(truth, predicted, average=None, zero_division=0)
    names = ("precision", "recall", "f1", "entities")
    table = {name: values.tolist() for name, values in zip(names, figures, strict=True)}
    return PerClass(labels=tuple(types), figures=table)


def word_table(truth: list[list[str]], predicted: list[list[str]]) -> PerClass:
    """Precision, recall, F1 and words of each tag, and the counts of confusions."""
    from adapt_core.hf.loop.per_class import class_table

    names = sorted({tag for rows in (truth, predicted) for row in rows for tag in row})
    numbers = {name: number for number, name in enumerate(names)}
    true_ids, predicted_ids = ([numbers[tag] for row in rows for tag in row] for rows in (truth, predicted))
    return class_table(true_ids, predicted_ids, names)
