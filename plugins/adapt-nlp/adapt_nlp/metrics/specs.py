"""The specs of the metrics of texts, answers and tags. Imports nothing heavy."""

from __future__ import annotations

from adapt_core.plugin.metric_spec import MetricSpec

from adapt_nlp.metrics import names

_TEXT = ("text",)

SPECS = [
    MetricSpec(
        name="exact_match",
        mean_of_rows=True,
        summary="share of texts that are the expected ones",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.texts:exact_match",
        bounds=names.SHARE,
    ),
    MetricSpec(
        name="token_f1",
        mean_of_rows=True,
        summary="mean F1 of the words of texts",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.texts:token_f1",
        bounds=names.SHARE,
    ),
    MetricSpec(
        name="rouge",
        mean_of_rows=True,
        aliases=tuple(names.ROUGE),
        summary="ROUGE-1, -2, -L and -Lsum",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.rouge:rouge",
        figures=tuple(names.ROUGE),
        bounds=names.SHARE,
    ),
    MetricSpec(
        name="bleu",
        summary="BLEU without smoothing, 0 to 1",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.corpus:Bleu",
        bounds=names.SHARE,
    ),
    MetricSpec(
        name="sacrebleu",
        summary="BLEU as WMT reports it, 0 to 100",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.corpus:SacreBleu",
        params="adapt_nlp.params:SacreBleuParams",
        bounds=names.PERCENT,
    ),
    MetricSpec(
        name="chrf",
        summary="chrF2, n-grams of characters, 0 to 100",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.corpus:Chrf",
        bounds=names.PERCENT,
    ),
    MetricSpec(
        name="json_valid",
        mean_of_rows=True,
        summary="share of texts that are JSON",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.structured:json_valid",
        bounds=names.SHARE,
    ),
    MetricSpec(
        name="json_schema",
        mean_of_rows=True,
        summary="share of texts that are JSON and fit JSON_SCHEMA",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.structured:JsonSchema",
        params="adapt_nlp.metrics.structured:JsonSchemaParams",
        bounds=names.SHARE,
        requires=("jsonschema",),
    ),
    MetricSpec(
        name="tool_call",
        mean_of_rows=True,
        summary="share of texts with the expected calls of tools, names and arguments, and of names alone",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.structured:tool_call",
        figures=("tool_call", "tool_name"),
        bounds=names.SHARE,
    ),
    MetricSpec(
        name="regex",
        mean_of_rows=True,
        summary="share of texts whose answer, found by ANSWER_PATTERN, is the expected one",
        kinds=_TEXT,
        implementation="adapt_nlp.metrics.structured:Regex",
        params="adapt_nlp.metrics.structured:RegexParams",
        figures=("regex", "regex_found"),
        bounds=names.SHARE,
    ),
    MetricSpec(
        name="squad",
        summary="exact match and F1 of answers, as SQuAD's scripts compute them, 0 to 100",
        kinds=("answer",),
        implementation="adapt_nlp.question_answering.metrics:squad",
        figures=tuple(names.SQUAD),
        bounds=names.PERCENT,
    ),
    MetricSpec(
        name="seqeval",
        summary="precision, recall and F1 of entities, and accuracy of words",
        kinds=("tags",),
        implementation="adapt_nlp.token_classification.metrics:seqeval",
        figures=tuple(names.ENTITIES),
        bounds=names.SHARE,
    ),
]
