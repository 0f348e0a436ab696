"""The task translation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.tables.column_names import Columns
from adapt_core.hf.tasks.inputs import read_field_texts

from adapt_nlp.metrics import names
from adapt_nlp.params import TranslationParams
from adapt_nlp.seq2seq.metrics import Score
from adapt_nlp.seq2seq.multilingual import Direction, set_direction
from adapt_nlp.seq2seq.task import Seq2SeqTask
from adapt_nlp.seq2seq.text_fields import (
    FormattedText,
    Source,
    TextField,
    columns_of,
    translation_field,
    translation_fields,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


class Translation(Seq2SeqTask[TranslationParams]):
    """The task translation."""

    answer = "translation"
    example = "A text to translate."

    def check(self) -> None:
        """Check as the base class does, and that the two languages differ.

        Raises:
            InputError: one of them is at fault.
        """
        if self.params.source_lang.casefold() == self.params.target_lang.casefold():
            raise InputError(f"source_lang and target_lang are both {self.params.source_lang!r}. Set two languages.")
        super().check()

    def find_fields(self, rows: Dataset, split: str) -> tuple[Source, TextField]:
        """Return a column `translation` of languages and texts, or two columns."""
        return translation_fields(self.plan, columns_of(rows), split)

    def check_split(self, columns: Columns, split: str) -> None:
        """Check that a split has both texts, in columns or in languages of a column."""
        fields = translation_fields(self.plan, columns, split)
        require_columns(list(columns), [column for field in fields for column in field.columns], split)

    @property
    def generation_max_length(self) -> int:
        """generation_max_length, or max_target_length where it is not given."""
        return self.params.generation_max_length or self.params.max_target_length

    @property
    def metrics(self) -> dict[str, str]:
        """SacreBLEU or ROUGE."""
        return names.SACREBLEU if self.params.eval_metric == "sacrebleu" else names.ROUGE

    def score(self) -> Score:
        """Return SacreBLEU with the target language's tokenization, or ROUGE on whole words."""
        from adapt_nlp.metrics.bleu import sacrebleu_rows
        from adapt_nlp.metrics.rouge import rouge_rows

        params = self.params
        if params.eval_metric == "sacrebleu":
            return partial(sacrebleu_rows, language=params.target_lang)
        return rouge_rows

    def set_direction(self, tokenizer: PreTrainedTokenizerBase) -> Direction | None:
        """Set source_lang and target_lang, in the tokenizer's own codes."""
        return set_direction(tokenizer, self.params.source_lang, self.params.target_lang)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return texts, the lines of .txt files, or the sources of files in the form of the training data."""

        def source(rows: Dataset, name: str) -> Source:
            if self.plan.data.format_string:
                return FormattedText(self.plan.data)
            return translation_field(self.plan, columns_of(rows), name, "source")

        return read_field_texts(arguments, self.plan, source)
