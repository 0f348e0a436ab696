"""The texts that an evaluation generated are kept while the report may still show them, and no longer."""

from __future__ import annotations

from pathlib import Path

import numpy
from transformers import AutoTokenizer, EvalPrediction

from ..seq2seq_models import english
from adapt_nlp.metrics.row_scores import Means
from adapt_nlp.seq2seq.metrics import TextScores


def test_of_many_evaluations_the_best_and_the_latest_two_keep_their_texts(tiny_t5: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_t5)
    scores = TextScores(
        tokenizer, lambda texts, _: Means({"length": numpy.array([float(len(text)) for text in texts])})
    )
    reached = {}
    for step in range(1, 7):
        scores.progress = lambda step=step: (step, 2 if step > 2 else None)
        ids = numpy.array([tokenizer(" ".join([english(step)] * step)).input_ids])
        reached[step] = scores(EvalPrediction(predictions=ids, label_ids=ids))
    texts = {step: scores.kept(metrics) for step, metrics in reached.items()}
    assert [step for step, kept in texts.items() if kept is None] == [1, 3, 4]
    assert texts[2] == [" ".join([english(2)] * 2)]
    assert texts[6] == [" ".join([english(6)] * 6)]
