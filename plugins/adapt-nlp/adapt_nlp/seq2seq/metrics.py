"""Scores of generated texts: token ids are decoded, then compared by eval_metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import KeptEvaluations, spread
from adapt_core.report.evaluation_record import SAMPLES

from adapt_nlp.metrics.row_scores import RowScores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import EvalPrediction, PreTrainedTokenizerBase

Score = Callable[[Sequence[str], Sequence[str]], RowScores]
"""(generated texts, references) -> their scores."""


class TextScores:
    """The `compute_metrics` of a Trainer that generates.

    References are the decoded labels, as in transformers' example scripts: text that was cut at max_target_length is
    not expected. `gen_len` is added to the metrics: the mean length of the generated texts in tokens. A few texts of
    the evaluations that the report may show are kept.

    Args:
        tokenizer: decodes.
        score: see `Score`.

    Attributes:
        progress: returns the step of training and the best one so far.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, score: Score) -> None:
        self._tokenizer, self._score = tokenizer, score
        self._kept: KeptEvaluations[list[str]] = KeptEvaluations()
        self._rows: EvaluatedRows | None = None
        self.progress: Callable[[], tuple[int, int | None]] = lambda: (0, None)

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return the metrics of one evaluation, over all ranks."""
        pad = self._tokenizer.pad_token_id
        generated = _without_ignored(prediction.predictions, pad)
        texts = self._decode(generated)
        references = self._decode(_without_ignored(prediction.label_ids, pad))
        lengths = (generated != pad).sum(axis=-1)
        found = self._score(texts, references)
        metrics = {**found.scores(), "gen_len": float(lengths.mean())}
        self._rows = _written(texts, references, found, lengths.astype(float))
        step, best = self.progress()
        self._kept.keep([texts[row] for row in spread(len(texts), SAMPLES)], metrics, step=step, best=best)
        return metrics

    def evaluated_rows(self, _prediction: EvalPrediction, _rows: object) -> EvaluatedRows:
        """Return what the evaluation that was just scored found of each text."""
        assert self._rows is not None
        return self._rows

    def _decode(self, ids: NDArray[Any]) -> list[str]:
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def kept(self, metrics: Mapping[str, float]) -> list[str] | None:
        """Return the texts of SAMPLES evenly spaced rows of the evaluation with these metrics, None without one."""
        return self._kept.find(metrics, {})


def _without_ignored(ids: NDArray[Any], pad: int) -> NDArray[Any]:
    """Return token ids with the padding token for -100, which pads labels and gathered predictions."""
    return numpy.where(ids < 0, pad, ids)


def _written(
    texts: Sequence[str], references: Sequence[str], found: RowScores, lengths: NDArray[numpy.float64]
) -> EvaluatedRows:
    """Return what was found of generated texts: a model gives no confidence, and none is simply right or wrong."""

    def measure(sample: NDArray[numpy.intp]) -> Mapping[str, float]:
        return {**found.measure(sample), "gen_len": float(lengths[sample].mean())}

    every = numpy.ones(len(texts))
    return EvaluatedRows(
        kind="text",
        rows=range(len(texts)),
        expected=references,
        predicted=texts,
        ratios={name: (values, every) for name, values in {**found.values, "gen_len": lengths}.items()},
        counted=found.counted,
        cost=4.0,
        measure=measure,
    )
