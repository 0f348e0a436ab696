"""The parameters of each language task."""

from __future__ import annotations

from typing import Any

import attrs

from adapt_core.hf.problems import params as problems
from adapt_core.hf.tasks.params import TextParams
from adapt_core.plugin.params import param


def _word_smoothing() -> Any:
    """Return the field of LABEL_SMOOTHING of a language model."""
    return param(
        0.0,
        "Share of each target that goes to all words of the vocabulary evenly while training (0.1). The losses of "
        "evaluations are without it.",
        key="LABEL_SMOOTHING",
        ge=0,
        lt=1,
    )


@attrs.frozen
class TextGenerationParams(TextParams):
    """Parameters of text_generation."""

    packing: bool = param(
        True,
        "Pack documents into rows of max_seq_length so that little is padded; none attends to another. Models that "
        "cannot keep them apart train on padded batches, with a warning.",
    )
    max_seq_length: int = param(
        512, "Longest document in tokens: longer text is split into several, longer answers are truncated.", ge=8
    )
    loss_on: str = param(
        "answers",
        "The tokens of the loss where rows have answers (chat, instructions, prompt and completion): the answers "
        "alone, or all of the text.",
        choices=("answers", "all"),
    )
    label_smoothing: float = _word_smoothing()
    chat_template_kwargs: dict[str, object] | None = param(
        None,
        "Variables of the chat template for all rows (enable_thinking: false). A column of this name, or of the "
        "variable's, gives those of a row.",
    )
    generate_in_evaluation: int | None = param(
        None,
        "Rows that each evaluation answers, spread over the split, to score the texts (exact_match, token_f1, rougeL, "
        "chrf, and METRICS); 0: none (default: as many as cost a tenth of the run, counted in tokens, where rows have "
        "answers).",
        key="GENERATE_IN_EVALUATION",
        ge=0,
    )
    max_new_tokens: int = param(
        128, "Most tokens that adapt predict and evaluations generate from a prompt.", ge=1, may_change_on_resume=True
    )
    temperature: float = param(
        0.0, "Sampling temperature of adapt predict; 0 is greedy decoding.", ge=0, may_change_on_resume=True
    )
    top_p: float = param(
        1.0,
        "Nucleus sampling: sample from the most probable tokens that together have this probability.",
        gt=0,
        le=1,
        may_change_on_resume=True,
    )


@attrs.frozen
class TextClassificationParams(TextParams):
    """Parameters of text_classification."""

    subtask: str | None = param(
        None,
        "None: labels or numbers for each text. ner, pos, chunk: a tag for each word "
        "(columns tokens and ner_tags, pos_tags, chunk_tags, or input_column and target_column).",
        choices=("ner", "pos", "chunk"),
    )
    problem_type: str = problems.problem_type()
    target_columns: tuple[str, ...] | None = problems.target_columns()
    label_separator: str | None = problems.label_separator()
    calibrate: bool = problems.calibrate()
    abstain_precision: float | None = problems.abstain_precision()
    tag_names: tuple[str, ...] | None = param(
        None, "Names of integer tags, by number, for ner, pos and chunk.", key="TAG_NAMES"
    )
    max_seq_length: int | None = param(
        None,
        "Longest input in tokens; longer texts are truncated, longer rows of words cut into windows (default: the "
        "model's limit).",
        ge=8,
    )
    class_weights: str | dict[str, object] | None = param(
        None,
        "Weight of each class in the loss: balanced (inverse frequency), or a mapping of label to weight. Of several "
        "labels, the weight of the rows that have it.",
        key="CLASS_WEIGHTS",
    )
    label_smoothing: float = problems.label_smoothing()
    loss: str | None = problems.loss()
    loss_options: dict[str, object] | None = problems.loss_options()
    class_sampling: str | None = problems.class_sampling()


@attrs.frozen
class QuestionAnsweringParams(TextParams):
    """Parameters of question_answering."""

    max_answer_length: int = param(30, "Longest answer in tokens.", ge=1)
    max_length: int = param(384, "Longest window (question and part of the context) in tokens.", ge=16)
    doc_stride: int = param(128, "Tokens that two windows of a long context share.", ge=0)
    n_best_size: int = param(20, "Best starts and ends of a window that are combined into answers.", ge=1)
    input_question_column: str = param("question", "Column of the question.")
    squad_v2_format: bool = param(False, "Questions may have no answer (empty lists, as in SQuAD 2.0).")
    null_score_diff_threshold: float = param(
        0.0,
        "With squad_v2_format: no answer is given where that scores higher than the best answer by more than this.",
    )


@attrs.frozen
class Seq2SeqParams(TextParams):
    """Parameters of the tasks on encoder-decoders."""

    max_target_length: int = param(128, "Longest target in tokens; longer ones are truncated.", ge=2)
    prefix: str | None = param(
        None,
        "Put before every input, for models that expect an instruction: 'summarize: ', "
        "'translate English to Romanian: '.",
        key="PREFIX",
    )
    label_smoothing: float = _word_smoothing()
    predict_with_generate: bool = param(
        True, "Evaluate by generating texts and scoring them (eval_metric). false: the loss alone, which is faster."
    )
    num_beams: int | None = param(
        None, "Beams of beam search; 1 is greedy (default: that of the model's config).", ge=1
    )


@attrs.frozen
class SummarizationParams(Seq2SeqParams):
    """Parameters of summarization."""

    dataset_text_field: str = param(
        "document",
        "Column of the text where input_column is not given; also the name of the text that FORMAT_STRING builds.",
    )
    max_input_length: int = param(512, "Longest document in tokens; longer ones are truncated.", ge=2)
    eval_metric: str = param(
        "rouge", "Metric of generated summaries: rouge (0 to 1) or bleu (0 to 1).", choices=("rouge", "bleu")
    )
    generation_max_length: int = param(128, "Longest generated summary in tokens.", ge=2)


@attrs.frozen
class TranslationParams(Seq2SeqParams):
    """Parameters of translation."""

    max_input_length: int = param(128, "Longest input sentence in tokens; longer ones are truncated.", ge=2)
    eval_metric: str = param(
        "rouge",
        "Metric of generated translations: sacrebleu (0 to 100) or rouge (0 to 1).",
        choices=("sacrebleu", "rouge"),
    )
    source_lang: str = param(
        "en", "Source language: its key in the column translation, and its code for the tokenizer."
    )
    target_lang: str = param("ro", "Target language; as source_lang.")
    generation_max_length: int | None = param(
        None, "Longest generated translation in tokens (default: max_target_length).", ge=2
    )


@attrs.frozen
class SacreBleuParams:
    """How sacrebleu splits texts."""

    language: str | None = param(
        None,
        "sacrebleu in METRICS: the language of the texts, by which it splits them (zh, ja, ko; others as WMT does). "
        "Default: target_lang of a translation.",
        key="BLEU_LANGUAGE",
        may_change_on_resume=True,
    )
