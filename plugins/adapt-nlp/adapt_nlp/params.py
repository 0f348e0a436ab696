"""The parameters of each language task."""

from __future__ import annotations

import attrs

from adapt_core.parameters import param


@attrs.frozen
class TextParams:
    """What every language task reads."""

    dataset_text_field: str = param(
        "text", "Name of the text column that FORMAT_STRING makes; the input where input_column is not given."
    )
    flash_attention2: bool = param(
        False,
        "Use flash attention 2 where model and device support it; elsewhere the default, said in the log.",
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
