"""Generated token ids against labels: texts first, then eval_metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapt_core.evaluation import of_evaluation, spread
from adapt_core.report.evaluation_record import SAMPLES

ROUGE = {"rouge1": "higher", "rouge2": "higher", "rougeL": "higher", "rougeLsum": "higher"}
BLEU = {"bleu": "higher"}
SACREBLEU = {"sacrebleu": "higher"}

Score = Callable[[Sequence[str], Sequence[str]], dict[str, float]]


class TextScores:
    """What the Trainer calls: (predictions, label_ids) of one evaluation, over all ranks -> metrics.

    References are the labels decoded, as the field does: what was cut at max_target_length is not asked for. Beside
    the metrics of `score` stands gen_len, the mean length of the generated texts in tokens. A few texts of each
    evaluation are kept, for the report.

    Args:
        tokenizer: for decoding.
        score: (generated texts, references) -> metrics.
    """

    def __init__(self, tokenizer: Any, score: Score) -> None:
        self._tokenizer, self._score = tokenizer, score
        self._kept: dict[tuple[tuple[str, float], ...], list[str]] = {}

    def __call__(self, prediction: Any) -> dict[str, float]:
        tokenizer = self._tokenizer
        generated, wanted = _plain(tokenizer, prediction.predictions), _plain(tokenizer, prediction.label_ids)
        texts, references = (
            [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
            for ids in (generated, wanted)
        )
        lengths = (generated != tokenizer.pad_token_id).sum(axis=-1)
        metrics = {**self._score(texts, references), "gen_len": float(lengths.mean())}
        self._kept[tuple(metrics.items())] = [texts[row] for row in spread(len(texts), SAMPLES)]
        return metrics

    def kept(self, metrics: Mapping[str, float]) -> list[str] | None:
        """The texts of SAMPLES evenly spread rows in the evaluation that gave these metrics; None of any other."""
        return of_evaluation(self._kept, metrics)


def _plain(tokenizer: Any, ids: Any) -> Any:
    """Token ids without the -100 that pads labels and gathered predictions."""
    import numpy

    return numpy.where(ids < 0, tokenizer.pad_token_id, ids)
