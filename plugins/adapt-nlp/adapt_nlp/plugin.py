"""The tasks that adapt-nlp registers. Imports nothing heavy: a task's code is imported when a run needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.hf.loop.spec import HF_LOOP
from adapt_core.hf.problems import kinds
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.specs import TABLE, FormatSpec, TaskSpec, hookimpl

from adapt_nlp.formats.language_suffixes import SUFFIXES
from adapt_nlp.metrics import names
from adapt_nlp.metrics.specs import SPECS

if TYPE_CHECKING:
    from adapt_nlp.params import Seq2SeqParams, TextClassificationParams, TextGenerationParams

_JSON = (".jsonl", ".ndjson", ".json")


def _classification_pipeline(params: TextClassificationParams) -> str:
    return "token-classification" if params.subtask else "text-classification"


def _classified(params: TextClassificationParams) -> tuple[str, ...]:
    return ("tags",) if params.subtask else kinds.predictions_of(params.problem_type)


def _answered(params: TextGenerationParams) -> tuple[str, ...]:
    return () if params.generate_in_evaluation == 0 else ("text",)


def _written(params: Seq2SeqParams) -> tuple[str, ...]:
    return ("text",) if params.predict_with_generate else ()


def _classified_rows(params: TextClassificationParams) -> tuple[str, ...]:
    return (TABLE, "tokens+tags" if params.subtask else "text+label")


@hookimpl
def adapt_tasks() -> list[TaskSpec]:
    """Return the specs of the language tasks."""
    return [
        TaskSpec(
            name="text_generation",
            summary="text generation from a prompt: plain text, instructions and chat, with causal language models",
            implementation="adapt_nlp.text_generation.task:TextGeneration",
            params="adapt_nlp.params:TextGenerationParams",
            shapes=(TABLE, "conversation"),
            loop=HF_LOOP,
            pipeline="text-generation",
            library="transformers",
            predictions=_answered,
            metrics={**names.LANGUAGE_MODELING, **names.WRITTEN},
            bounds={
                "perplexity": names.PERPLEXITY,
                "token_accuracy": names.SHARE,
                **dict.fromkeys(names.WRITTEN, names.SHARE),
                "chrf": names.PERCENT,
            },
            core_defaults={"GROUP_BY_LENGTH": True},
        ),
        TaskSpec(
            name="text_classification",
            summary="one or several labels or numbers for each text, or a tag for each word (ner, pos, chunk)",
            implementation="adapt_nlp.subtasks:text_classification",
            params="adapt_nlp.params:TextClassificationParams",
            shapes=_classified_rows,
            loop=HF_LOOP,
            pipeline=_classification_pipeline,
            library="transformers",
            # Tags and classes have accuracy, and the f1 of tags is before it.
            predictions=_classified,
            metrics={**names.ENTITIES, **names.CLASSIFICATION, **kinds.METRICS},
            bounds={**dict.fromkeys([*names.CLASSIFICATION, *names.ENTITIES], names.SHARE), **kinds.BOUNDS},
            core_defaults={"GROUP_BY_LENGTH": True},
        ),
        TaskSpec(
            name="question_answering",
            summary="the span of a context that answers a question (SQuAD v1 and v2)",
            implementation="adapt_nlp.question_answering.task:QuestionAnswering",
            params="adapt_nlp.params:QuestionAnsweringParams",
            shapes=(TABLE, "question+context+answers"),
            loop=HF_LOOP,
            pipeline="question-answering",
            library="transformers",
            predictions=("answer",),
            metrics=names.SQUAD_V2,
            bounds=dict.fromkeys(names.SQUAD_V2, names.PERCENT),
            core_defaults={"MAX_TRAIN_SAMPLES": 1000, "MAX_EVAL_SAMPLES": 1000, "GROUP_BY_LENGTH": True},
        ),
        TaskSpec(
            name="summarization",
            summary="a document into a short text, with an encoder-decoder",
            implementation="adapt_nlp.seq2seq.summarization:Summarization",
            params="adapt_nlp.params:SummarizationParams",
            shapes=(TABLE, "document+summary"),
            loop=HF_LOOP,
            pipeline="summarization",
            library="transformers",
            predictions=_written,
            metrics={**names.ROUGE, **names.BLEU},
            bounds=dict.fromkeys([*names.ROUGE, *names.BLEU], names.SHARE),
            core_defaults={"MAX_TRAIN_SAMPLES": 1000, "MAX_EVAL_SAMPLES": 1000, "GROUP_BY_LENGTH": True},
        ),
        TaskSpec(
            name="translation",
            summary="a text into another language, with an encoder-decoder",
            implementation="adapt_nlp.seq2seq.translation:Translation",
            params="adapt_nlp.params:TranslationParams",
            shapes=(TABLE, "source+target"),
            loop=HF_LOOP,
            pipeline="translation",
            library="transformers",
            predictions=_written,
            metrics={**names.ROUGE, **names.SACREBLEU},
            bounds={**dict.fromkeys(names.ROUGE, names.SHARE), "sacrebleu": names.PERCENT},
            core_defaults={"GROUP_BY_LENGTH": True},
        ),
    ]


@hookimpl
def adapt_metric_specs() -> list[MetricSpec]:
    """Return the specs of the metrics of texts, answers and tags."""
    return SPECS


@hookimpl
def adapt_formats() -> list[FormatSpec]:
    """Return the specs of the formats of text data."""
    return [
        FormatSpec(
            name="conll",
            aliases=("bio", "iob"),
            summary="CoNLL (words and tags in columns)",
            implementation="adapt_nlp.formats.conll:Conll",
            shapes=("tokens+tags",),
            suffixes=(".conll", ".bio", ".iob", ".iob2", ".bioes", ".bilou", ".txt", ".tsv"),
        ),
        FormatSpec(
            name="spacy",
            aliases=("prodigy",),
            summary="spaCy's entities, and prodigy's spans",
            implementation="adapt_nlp.formats.spacy:Spacy",
            shapes=("tokens+tags",),
            suffixes=_JSON,
        ),
        FormatSpec(
            name="doccano",
            summary="doccano's labelled spans",
            implementation="adapt_nlp.formats.doccano:Doccano",
            shapes=("tokens+tags",),
            suffixes=_JSON,
        ),
        FormatSpec(
            name="label_studio_text",
            summary="Label Studio's labelled spans of texts (JSON, JSON-MIN)",
            implementation="adapt_nlp.formats.label_studio_text:LabelStudioText",
            shapes=("tokens+tags",),
            suffixes=_JSON,
        ),
        FormatSpec(
            name="squad",
            summary="SQuAD's articles (v1.1, v2.0)",
            implementation="adapt_nlp.formats.squad:Squad",
            shapes=("question+context+answers",),
            suffixes=_JSON,
        ),
        FormatSpec(
            name="brat",
            summary="brat's standoff files (.ann beside .txt)",
            implementation="adapt_nlp.formats.brat:Brat",
            shapes=("tokens+tags",),
            suffixes=(".ann", ".txt"),
            documents=True,
        ),
        FormatSpec(
            name="parallel",
            aliases=("moses",),
            summary="parallel texts, a file for each language",
            implementation="adapt_nlp.formats.parallel:Parallel",
            shapes=("source+target",),
            suffixes=SUFFIXES,
            general=True,
            paired=True,
        ),
        FormatSpec(
            name="tmx",
            summary="TMX (translation memories)",
            implementation="adapt_nlp.formats.tmx:Tmx",
            shapes=("source+target",),
            suffixes=(".tmx",),
        ),
    ]
