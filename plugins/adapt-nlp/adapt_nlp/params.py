"""The parameters of each language task."""

from __future__ import annotations

import attrs

from adapt_core.hf.tasks.params import TextParams
from adapt_core.plugin.params import param


@attrs.frozen
class TextGenerationParams(TextParams):
    """Parameters of text_generation."""

    packing: bool = param(
        True,
        "Pack documents into rows of max_seq_length so that little is padded; none sees another. Models that cannot "
        "keep them apart train on padded batches, said in the log.",
    )
    max_seq_length: int = param(
        512, "Longest document in tokens: longer text goes on in a further document, longer answers are cut.", ge=8
    )
    loss_on: str = param(
        "answers",
        "What is learned where rows have answers (chat, instructions, prompt and completion): the answers alone, or "
        "all of the text.",
        choices=("answers", "all"),
    )
    max_new_tokens: int = param(
        128, "Most tokens that adapt predict writes behind a prompt.", ge=1, may_change_on_resume=True
    )
    temperature: float = param(
        0.0, "Of sampling in adapt predict; 0 takes the likeliest token each time.", ge=0, may_change_on_resume=True
    )
    top_p: float = param(
        1.0,
        "In sampling, only the likeliest tokens that together have this probability (nucleus sampling).",
        gt=0,
        le=1,
        may_change_on_resume=True,
    )


@attrs.frozen
class TextClassificationParams(TextParams):
    """Parameters of text_classification."""

    subtask: str | None = param(
        None,
        "None: one class for each text. ner, pos, chunk: a tag for each word "
        "(columns tokens and ner_tags, pos_tags, chunk_tags, or input_column and target_column).",
        choices=("ner", "pos", "chunk"),
    )
    tag_names: tuple[str, ...] | None = param(
        None, "Names of integer tags, by number, for ner, pos and chunk.", key="TAG_NAMES"
    )
    max_seq_length: int | None = param(
        None,
        "Longest input in tokens; longer texts are cut, longer rows of words windowed (default: the model's limit).",
        ge=8,
    )
    class_weights: str | dict[str, object] | None = param(
        None,
        "Weight of each class in the loss: balanced (inverse frequency), or a mapping of label to weight.",
        key="CLASS_WEIGHTS",
    )


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
        0.0, "With squad_v2_format: no answer is given where its score beats the best answer's by more than this."
    )


@attrs.frozen
class Seq2SeqParams(TextParams):
    """What the tasks on encoder-decoder models share."""

    max_target_length: int = param(128, "Longest target in tokens; longer ones are cut.", ge=2)
    prefix: str | None = param(
        None,
        "Stands before every input, for models that are told their job: 'summarize: ', "
        "'translate English to Romanian: '.",
        key="PREFIX",
    )
    predict_with_generate: bool = param(
        True, "Evaluate by generating texts and scoring them (eval_metric). false: by the loss alone, which is faster."
    )
    num_beams: int | None = param(
        None, "Beams of the search that generates; 1 is greedy (default: as the model's own config says).", ge=1
    )


@attrs.frozen
class SummarizationParams(Seq2SeqParams):
    """Parameters of summarization."""

    dataset_text_field: str = param(
        "document", "Name of the text column that FORMAT_STRING makes; the input where input_column is not given."
    )
    max_input_length: int = param(512, "Longest document in tokens; longer ones are cut.", ge=2)
    eval_metric: str = param(
        "rouge", "What generated summaries are scored with: rouge (0 to 1) or bleu (0 to 1).", choices=("rouge", "bleu")
    )
    generation_max_length: int = param(128, "Longest generated summary in tokens.", ge=2)


@attrs.frozen
class TranslationParams(Seq2SeqParams):
    """Parameters of translation."""

    max_input_length: int = param(128, "Longest input sentence in tokens; longer ones are cut.", ge=2)
    eval_metric: str = param(
        "rouge",
        "What generated translations are scored with: sacrebleu (0 to 100) or rouge (0 to 1).",
        choices=("sacrebleu", "rouge"),
    )
    source_lang: str = param(
        "en", "Language translated from: the key in the column translation, and the code that the tokenizer is told."
    )
    target_lang: str = param("ro", "Language translated into; as source_lang.")
    generation_max_length: int | None = param(
        None, "Longest generated translation in tokens (default: max_target_length).", ge=2
    )
