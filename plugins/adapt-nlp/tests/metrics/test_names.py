"""Each metric that a run declares is one that its function computes, in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy
import pytest

from adapt_core.evaluation import deciding_metric
from adapt_core.hf.problems import kinds
from adapt_core.hf.problems.scores import label_scores, number_scores
from adapt_core.plugin.registry import Registry

from adapt_nlp.metrics import names
from adapt_nlp.metrics.bleu import bleu, sacrebleu
from adapt_nlp.metrics.classification import classification_scores
from adapt_nlp.metrics.rouge import rouge
from adapt_nlp.question_answering.metrics import squad_scores
from adapt_nlp.token_classification.metrics import entity_scores, word_scores


@pytest.mark.parametrize(
    ("declared", "compute"),
    [
        (names.CLASSIFICATION, lambda: classification_scores([0, 1], [0, 1])),
        (names.CLASSIFICATION, lambda: word_scores([["DET"]], [["DET"]])),
        (names.ENTITIES, lambda: entity_scores([["B-X"]], [["B-X"]])),
        (names.SQUAD, lambda: squad_scores(["a cat"], [["cat"]], v2=False)),
        (names.SQUAD_V2, lambda: squad_scores(["a cat", ""], [["cat"], []], v2=True)),
        (names.ROUGE, lambda: rouge(["a cat"], ["a cat"])),
        (names.BLEU, lambda: bleu(["a cat"], ["a cat"])),
        (names.SACREBLEU, lambda: sacrebleu(["a cat"], ["a cat"])),
        (kinds.MULTI_LABEL_METRICS, lambda: label_scores(numpy.eye(2), numpy.eye(2), numpy.eye(2))),
        (kinds.REGRESSION_METRICS, lambda: number_scores(numpy.eye(2), numpy.eye(2))),
    ],
)
def test_declared_metrics_are_computed(declared: Mapping[str, str], compute: Callable[[], dict[str, float]]) -> None:
    assert set(compute()) == set(declared)


def test_declared_metrics_of_language_modeling_are_computed_next_to_the_loss() -> None:
    from transformers import EvalPrediction

    from adapt_nlp.text_generation.metrics import language_metrics

    found = language_metrics(EvalPrediction(predictions=numpy.array([[1.0, 1.0, 2.0]]), label_ids=numpy.array([0])))
    assert set(found) == {"loss", *names.LANGUAGE_MODELING}


@pytest.mark.parametrize(
    ("task", "declared"),
    [
        ("text_classification", names.CLASSIFICATION),
        ("text_classification", names.ENTITIES),  # with subtask ner and chunk
        ("text_classification", kinds.MULTI_LABEL_METRICS),
        ("text_classification", kinds.REGRESSION_METRICS),
        ("question_answering", names.SQUAD),
        ("question_answering", names.SQUAD_V2),
        ("summarization", names.ROUGE),
        ("summarization", names.BLEU),
        ("translation", names.ROUGE),
        ("translation", names.SACREBLEU),
        ("text_generation", names.LANGUAGE_MODELING),
    ],
)
def test_the_metric_that_a_report_leads_with_is_the_first_of_its_run(task: str, declared: Mapping[str, str]) -> None:
    """The accuracy of words led the report of entities: it is the share of words outside all of them."""
    measured = dict.fromkeys(reversed(["loss", *declared]), 1.0)
    assert deciding_metric(measured, Registry.discover().task_spec(task).metrics, None) == next(iter(declared))
