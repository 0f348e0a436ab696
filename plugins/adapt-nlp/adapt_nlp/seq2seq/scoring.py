"""Generated token ids against labels: texts first, then eval_metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

ROUGE = {"rouge1": "higher", "rouge2": "higher", "rougeL": "higher", "rougeLsum": "higher"}
BLEU = {"bleu": "higher"}
SACREBLEU = {"sacrebleu": "higher"}

Score = Callable[[Sequence[str], Sequence[str]], dict[str, float]]


def text_scores(tokenizer: Any, score: Score) -> Callable[[Any], dict[str, float]]:
    """What the Trainer calls: (predictions, label_ids) of one evaluation, over all ranks -> metrics.

    References are the labels decoded, as the field does: what was cut at max_target_length is not asked for. Beside
    the metrics of `score` stands gen_len, the mean length of the generated texts in tokens.

    Args:
        tokenizer: for decoding.
        score: (generated texts, references) -> metrics.
    """

    def of(prediction: Any) -> dict[str, float]:
        generated, wanted = _plain(tokenizer, prediction.predictions), _plain(tokenizer, prediction.label_ids)
        texts, references = (
            [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
            for ids in (generated, wanted)
        )
        lengths = (generated != tokenizer.pad_token_id).sum(axis=-1)
        return {**score(texts, references), "gen_len": float(lengths.mean())}

    return of


def _plain(tokenizer: Any, ids: Any) -> Any:
    """Token ids without the -100 that pads labels and gathered predictions."""
    import numpy

    return numpy.where(ids < 0, tokenizer.pad_token_id, ids)
