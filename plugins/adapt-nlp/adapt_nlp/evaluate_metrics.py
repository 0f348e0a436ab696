"""The metrics of adapt's language tasks as `evaluate.Metric` classes. They need no network.

    from adapt_nlp.evaluate_metrics import Rouge, SacreBleu
    evaluate.combine([Rouge(), SacreBleu()]).compute(predictions=[...], references=[...])

Importing this module imports evaluate (seconds); a run of adapt does not, since it calls the wrapped functions.
"""

from __future__ import annotations

import evaluate
from datasets import Features, Sequence, Value

from adapt_nlp.metrics.bleu import bleu, sacrebleu
from adapt_nlp.metrics.classification import classification_scores
from adapt_nlp.metrics.rouge import rouge
from adapt_nlp.question_answering.metrics import squad_scores
from adapt_nlp.token_classification.metrics import entity_scores

_TEXTS = Features({"predictions": Value("string"), "references": Value("string")})
_TAGS = Features({"predictions": Sequence(Value("string")), "references": Sequence(Value("string"))})
_ANSWERS = Features({"predictions": Value("string"), "references": Sequence(Value("string"))})
_CLASSES = Features({"predictions": Value("int64"), "references": Value("int64")})


def _describe(function: object, features: Features, citation: str) -> evaluate.MetricInfo:
    return evaluate.MetricInfo(
        description=function.__doc__ or "", citation=citation, inputs_description="", features=features
    )


class Rouge(evaluate.Metric):
    """ROUGE-1, -2, -L, -Lsum: see `adapt_nlp.metrics.rouge.rouge`."""

    def _info(self) -> evaluate.MetricInfo:
        return _describe(rouge, _TEXTS, "Lin, 2004: ROUGE: a package for automatic evaluation of summaries")

    def _compute(self, predictions: list[str], references: list[str], use_stemmer: bool = False) -> dict[str, float]:
        return rouge(predictions, references, use_stemmer=use_stemmer)


class Bleu(evaluate.Metric):
    """BLEU from 0 to 1: see `adapt_nlp.metrics.bleu.bleu`."""

    def _info(self) -> evaluate.MetricInfo:
        return _describe(bleu, _TEXTS, "Papineni et al., 2002: BLEU: a method for automatic evaluation")

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        return bleu(predictions, references)


class SacreBleu(evaluate.Metric):
    """BLEU from 0 to 100: see `adapt_nlp.metrics.bleu.sacrebleu`."""

    def _info(self) -> evaluate.MetricInfo:
        return _describe(sacrebleu, _TEXTS, "Post, 2018: A call for clarity in reporting BLEU scores")

    def _compute(self, predictions: list[str], references: list[str], language: str | None = None) -> dict[str, float]:
        return sacrebleu(predictions, references, language)


class Seqeval(evaluate.Metric):
    """Entity scores of tags, see `adapt_nlp.token_classification.metrics.entity_scores`."""

    def _info(self) -> evaluate.MetricInfo:
        return _describe(entity_scores, _TAGS, "Nakayama, 2018: seqeval")

    def _compute(self, predictions: list[list[str]], references: list[list[str]]) -> dict[str, float]:
        return entity_scores(references, predictions)


class Squad(evaluate.Metric):
    """Exact match and F1 of answers: see `adapt_nlp.question_answering.metrics.squad_scores`.

    References are lists of gold answers; with `v2=True` an empty list is an unanswerable question.
    """

    def _info(self) -> evaluate.MetricInfo:
        return _describe(squad_scores, _ANSWERS, "Rajpurkar et al., 2016 and 2018: SQuAD")

    def _compute(self, predictions: list[str], references: list[list[str]], v2: bool = False) -> dict[str, float]:
        return squad_scores(predictions, references, v2=v2)


class Accuracy(evaluate.Metric):
    """The share of correct class ids."""

    def _info(self) -> evaluate.MetricInfo:
        return _describe(type(self), _CLASSES, "")

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"accuracy": classification_scores(references, predictions)["accuracy"]}
