"""BLEU and chrF of METRICS: in the language of the task, and of any sample of the rows from their counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.metrics.chosen import chosen_metrics, further_scores, with_chosen
from adapt_core.plugin.registry import Registry

PAIRS = [
    ("The dog ran over the hill today.", "The dog ran over the hill."),
    ("A cat", "A cat sleeps under the moon, and dreams."),
    ("It is late now, we go home.", "It is late, we must go home now."),
    ("", "Nothing was said."),
]
CHINESE = [("我今天去学校上课", "我今天去学校学习"), ("他喜欢看书", "他很喜欢看书")]


def chosen(tmp_path: Path, **keys: Any) -> Any:
    config = {
        "TASK": "translation",
        "MODEL_PATH": str(tmp_path),
        "CUSTOM_DATASET_PATH": str(tmp_path),
        "eval_metric": "rouge",
        **keys,
    }
    return chosen_metrics(resolve(RunConfig.read(config), Registry.discover()))


def rows_of(pairs: list[tuple[str, str]]) -> EvaluatedRows:
    predicted, expected = ([pair[side] for pair in pairs] for side in (0, 1))
    return EvaluatedRows(
        kind="text", rows=range(len(pairs)), expected=expected, predicted=predicted, measure=lambda _sample: {}
    )


@pytest.mark.parametrize("keys", [{"target_lang": "zh"}, {"target_lang": "en", "BLEU_LANGUAGE": "zh_CN"}])
def test_sacrebleu_splits_texts_as_their_language_asks(tmp_path: Path, keys: dict[str, str]) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    predicted, expected = ([pair[side] for pair in CHINESE] for side in (0, 1))
    theirs = sacrebleu.corpus_bleu(predicted, [expected], tokenize="zh").score
    [metric] = chosen(tmp_path, METRICS=["sacrebleu"], source_lang="de", **keys)
    assert metric.values(predicted, expected)["sacrebleu"] == pytest.approx(theirs)
    assert theirs > 20
    [words] = chosen(tmp_path, METRICS=["sacrebleu"], source_lang="de", target_lang="fr")
    assert words.values(predicted, expected)["sacrebleu"] < 20


def test_samples_are_measured_from_counts_as_from_texts(tmp_path: Path) -> None:
    pytest.importorskip("sacrebleu")
    metrics = chosen(tmp_path, METRICS=["bleu", "sacrebleu", "chrf"], source_lang="de", target_lang="en")
    rows = with_chosen(rows_of(PAIRS), metrics)
    assert set(rows.counted) == {"bleu", "sacrebleu", "chrf"}
    for sample in ([0, 1, 2, 3], [2, 2, 0, 1], [3, 3, 3, 0]):
        predicted, expected = ([PAIRS[number][side] for number in sample] for side in (0, 1))
        own = {name: value for one in metrics for name, value in one.values(predicted, expected).items()}
        assert rows.measure(numpy.array(sample)) == pytest.approx(own, abs=1e-9)
    every = {name: value for one in metrics for name, value in one.values(rows.predicted, rows.expected).items()}
    assert further_scores(rows, metrics, {}) == pytest.approx(every, abs=1e-9)
    assert min(every.values()) > 0
