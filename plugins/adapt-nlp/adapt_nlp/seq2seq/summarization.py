"""The task summarization."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from adapt_core.hf.tasks.inputs import read_field_texts

from adapt_nlp.metrics import names
from adapt_nlp.params import SummarizationParams
from adapt_nlp.seq2seq.metrics import Score
from adapt_nlp.seq2seq.task import Seq2SeqTask
from adapt_nlp.seq2seq.text_fields import Source, TextField, summary_fields

if TYPE_CHECKING:
    from datasets import Dataset


class Summarization(Seq2SeqTask[SummarizationParams]):
    """The task summarization."""

    answer = "summary"
    example = "A text to summarize."

    def find_fields(self, rows: Dataset, split: str) -> tuple[Source, TextField]:
        """Return two columns: `document` and `summary` where no others are named."""
        return summary_fields(self.plan)

    @property
    def required_columns(self) -> Sequence[tuple[str, str]]:
        """The columns of document and summary."""
        return [column for field in summary_fields(self.plan) for column in field.columns]

    @property
    def generation_max_length(self) -> int:
        """generation_max_length."""
        return self.params.generation_max_length

    @property
    def metrics(self) -> dict[str, str]:
        """ROUGE or BLEU."""
        return names.BLEU if self.params.eval_metric == "bleu" else names.ROUGE

    def score(self) -> Score:
        """Return ROUGE on Porter stems, as is usual for summaries, or BLEU."""
        from adapt_nlp.metrics.bleu import bleu_rows
        from adapt_nlp.metrics.rouge import rouge_rows

        return bleu_rows if self.params.eval_metric == "bleu" else partial(rouge_rows, use_stemmer=True)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return texts, the lines of .txt files, or the input column or formatted columns of other files."""
        source, _ = summary_fields(self.plan)
        return read_field_texts(arguments, self.plan, lambda rows, name: source)
