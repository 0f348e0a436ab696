"""BLEU and chrF as METRICS names them: metrics of all texts together, which follow from the counts of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapt_nlp.metrics import bleu, texts
from adapt_nlp.params import SacreBleuParams

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


class SacreBleu:
    """BLEU as WMT reports it, of the words or characters of a language."""

    def __init__(self, params: SacreBleuParams) -> None:
        self._language = params.language

    def of_task(self, params: object) -> SacreBleu:
        """Return the metric for a task: of a translation in its target language, unless BLEU_LANGUAGE names one."""
        return SacreBleu(SacreBleuParams(language=self._language or getattr(params, "target_lang", None)))

    def __call__(self, predicted: Sequence[str], expected: Sequence[str]) -> float:
        """Return BLEU, 0 to 100; see `adapt_nlp.metrics.bleu.sacrebleu`."""
        return bleu.sacrebleu(predicted, expected, self._language)["sacrebleu"]

    def counts(self, predicted: Sequence[str], expected: Sequence[str]) -> NDArray[numpy.int64]:
        """Return what each row adds to the counts."""
        return bleu.sacrebleu_rows(predicted, expected, self._language).counts


class Bleu:
    """BLEU without smoothing."""

    def __call__(self, predicted: Sequence[str], expected: Sequence[str]) -> float:
        """Return BLEU, 0 to 1; see `adapt_nlp.metrics.bleu.bleu`."""
        return bleu.bleu(predicted, expected)["bleu"]

    def counts(self, predicted: Sequence[str], expected: Sequence[str]) -> NDArray[numpy.int64]:
        """Return what each row adds to the counts."""
        return bleu.bleu_rows(predicted, expected).counts


class Chrf:
    """chrF2."""

    def __call__(self, predicted: Sequence[str], expected: Sequence[str]) -> float:
        """Return chrF2, 0 to 100; see `adapt_nlp.metrics.texts.chrf`."""
        return texts.chrf(predicted, expected)

    def counts(self, predicted: Sequence[str], expected: Sequence[str]) -> NDArray[numpy.int64]:
        """Return what each row adds to the counts."""
        return texts.chrf_counts(predicted, expected)
