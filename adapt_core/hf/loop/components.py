"""The task-specific inputs of the Hugging Face loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.evaluation import PerClass

if TYPE_CHECKING:
    from adapt_core.hf.data.resampling import Shares
    from adapt_core.hf.frozen.rows import RowSource


@attrs.frozen(kw_only=True)
class TrainerComponents:
    """The task's side of a Trainer.

    Attributes:
        collate: list of examples -> batch of tensors.
        compute_metrics: `EvalPrediction` -> names to numbers, without prefix.
        score: (`EvalPrediction`, the evaluated dataset with all its columns, in the same order) -> the same, for
            metrics that need more of a row than its labels: windows of one document, texts of answers. Used instead of
            `compute_metrics`.
        per_class: (`EvalPrediction`, the evaluated dataset) -> results by class, for the report.
        evaluated_rows: (`EvalPrediction`, the evaluated dataset) -> what was found of each row.
        further_rows: (the model, what `TaskData.split_of` says) -> what a further evaluation finds of some rows of the
            split, whose metrics are added (texts that a language model writes); None where it has none. All processes
            call it.
        metrics: names to "higher" or "lower", the one that decides what is best first.
        preprocess_logits: (logits, labels) -> what `compute_metrics` gets, so that evaluation needs little memory.
        label_smoothing: share of each target that goes to all words evenly in training, in the model's own loss.
        compute_loss: (outputs, labels, num_items_in_batch) -> loss, where the model's own is not wanted.
        weigh_loss: batch -> the weight of its loss in the loss of an evaluation, where that is not the number of its
            labels (or rows): a tensor without dimensions.
        shares: how often an epoch shows each training row, where not each once (`adapt_core.hf.data.resampling`). A
            data set with `shows_repeats` takes row + k x rows for the k-th time that it comes again.
        rows_of: (the training examples, indices of some) -> the indices of the rows that are in them, where an example
            is no row of its own but a window or a pack.
        frozen_rows: (a split, how often it is passed over) -> its rows, where a frozen part may be computed once for
            each (`adapt_core.hf.frozen`); None where no row comes twice.
        model_inputs: batch -> the arguments of the model's `forward`, where they have other names than the batch's.
        processing_class: tokenizer or processor, saved with checkpoints.
        trainer_class: "package.module:Class" of a Trainer.
        arguments_class: "package.module:Class" of its arguments.
        arguments: further training arguments of that class.
    """

    collate: Callable[[list[Any]], Mapping[str, Any]]
    compute_metrics: Callable[[Any], dict[str, float]] | None = None
    score: Callable[[Any, Any], dict[str, float]] | None = None
    per_class: Callable[[Any, Any], PerClass] | None = None
    evaluated_rows: Callable[[Any, Any], EvaluatedRows] | None = None
    further_rows: Callable[[Any, str], EvaluatedRows | None] | None = None
    metrics: Mapping[str, str]
    preprocess_logits: Callable[[Any, Any], Any] | None = None
    label_smoothing: float = 0.0
    compute_loss: Callable[..., Any] | None = None
    weigh_loss: Callable[[Mapping[str, Any]], Any] | None = None
    shares: Shares | None = None
    rows_of: Callable[[Any, Sequence[int]], Iterable[int]] | None = None
    frozen_rows: Callable[[Any, float], RowSource | None] | None = None
    model_inputs: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    processing_class: Any = None
    trainer_class: str = "transformers:Trainer"
    arguments_class: str = "transformers:TrainingArguments"
    arguments: Mapping[str, Any] = attrs.field(factory=dict)
