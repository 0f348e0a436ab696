"""What evaluations find of each row measures any sample of the rows as the metrics themselves do."""

from __future__ import annotations

import random
from typing import Any

import numpy
import pytest
from sacrebleu.metrics.chrf import CHRF
from transformers import EvalPrediction

from adapt_nlp.metrics.bleu import bleu, bleu_rows, sacrebleu, sacrebleu_rows
from adapt_nlp.metrics.rouge import rouge, rouge_rows
from adapt_nlp.metrics.texts import exact_match, token_f1
from adapt_nlp.question_answering.evaluated import answered_rows
from adapt_nlp.question_answering.metrics import squad_scores
from adapt_nlp.text_generation.evaluated import token_rows
from adapt_nlp.text_generation.metrics import language_metrics
from adapt_nlp.text_generation.written_answers import Question, answered
from adapt_nlp.token_classification.evaluated import least_confidence, tagged_rows
from adapt_nlp.token_classification.metrics import entity_scores, word_scores

WORDS = ["the", "river", "runs", "over", "old", "stones", "and", "under", "a", "low", "bridge", "."]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
SAMPLES = [range(20), [0, 0, 1, 5, 19], [7], random.Random(4).choices(range(20), k=20)]


def texts(seed: int, least: int = 1) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(least, 9))) for _ in range(20)]


def tags(seed: int) -> list[list[str]]:
    chance = random.Random(seed)
    return [random.Random(seed + row).choices(TAGS, k=1 + row % 4) for row in range(20) if chance]


def taken(rows: list[Any], sample: Any) -> list[Any]:
    return [rows[number] for number in sample]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize(("of_rows", "metric"), [(rouge_rows, rouge), (bleu_rows, bleu), (sacrebleu_rows, sacrebleu)])
def test_generated_texts(of_rows: Any, metric: Any, sample: Any) -> None:
    predicted, expected = texts(1), texts(2, least=4)
    found = of_rows(predicted, expected).measure(numpy.array(sample))
    assert found == pytest.approx(metric(taken(predicted, sample), taken(expected, sample)))


@pytest.mark.parametrize("sample", SAMPLES)
def test_answers_of_language_models(sample: Any) -> None:
    """chrF too, whose counts are read by what sacrebleu keeps private: its public score is the same."""
    predicted, expected = texts(1), [text if number % 3 else "" for number, text in enumerate(texts(2))]
    predicted[5] = expected[5]
    found = answered([Question(row, "", [], text) for row, text in enumerate(expected)], predicted)
    pair = taken(predicted, sample), taken(expected, sample)
    assert found.measure(numpy.array(sample)) == pytest.approx(
        {
            "exact_match": exact_match(*pair),
            "token_f1": token_f1(*pair),
            "rougeL": rouge(*pair)["rougeL"],
            "chrf": CHRF().corpus_score(pair[0], [pair[1]]).score,
        }
    )


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize(("words", "metric"), [(False, entity_scores), (True, word_scores)])
def test_tags(words: bool, metric: Any, sample: Any) -> None:
    truth, predicted = tags(1), [[*row[:-1], "B-LOC"] for row in tags(1)]
    rows = tagged_rows(truth, predicted, dict.fromkeys(range(20), 0.5), words=words)
    assert rows.measure(numpy.array(sample)) == pytest.approx(metric(taken(truth, sample), taken(predicted, sample)))


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("v2", [False, True])
def test_answers(v2: bool, sample: Any) -> None:
    predicted = [text if number % 3 else "" for number, text in enumerate(texts(3))]
    gold = [[text, text[:9]] if number % 4 else [] for number, text in enumerate(texts(3))]
    found: Any = [{"answer": text} for text in predicted]
    rows = answered_rows(found, gold, first=5, v2=v2)
    assert list(rows.rows) == list(range(5, 25))
    assert rows.measure(numpy.array(sample)) == pytest.approx(
        squad_scores(taken(predicted, sample), taken(gold, sample), v2=v2)
    )


@pytest.mark.parametrize("sample", SAMPLES)
def test_tokens(sample: Any) -> None:
    table = numpy.random.default_rng(0).random((20, 3)) + numpy.array([[0.0, 0.0, 1.0]])
    found = token_rows(EvalPrediction(table, None), None).measure(numpy.array(sample))
    assert found == pytest.approx(language_metrics(EvalPrediction(table[list(sample)], None)))


def test_ratios_are_the_metrics_whose_names_they_have() -> None:
    truth, predicted = tags(1), tags(2)
    rows = tagged_rows(truth, [row[: len(true)] for row, true in zip(predicted, truth, strict=True)], {}, words=False)
    measured = rows.measure(numpy.arange(20))
    assert set(rows.ratios) == set(measured)
    for name, (over, under) in rows.ratios.items():
        assert sum(over) / sum(under) == pytest.approx(measured[name])


def test_a_document_is_as_certain_as_its_least_certain_word() -> None:
    probabilities = numpy.array([[0.9, 0.3, 0.8], [0.7, 0.6, -100.0]])
    gold, words = [[1, -100, 2], [2, 3]], [[0, -1, 1], [1, 2]]
    assert least_confidence(probabilities, gold, words, [4, 4]) == {4: 0.6}
    assert least_confidence(probabilities, gold, words, [9, 4]) == {4: 0.6, 9: 0.8}
