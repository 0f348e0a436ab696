"""Where source and target text of a row are: in a column, or in one language of a column of translations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import attrs

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import format_columns, format_row, text_fault
from adapt_core.hf.data.tables.column_names import Columns, columns_of_rows
from adapt_core.hf.data.texts import input_column

from adapt_nlp.params import SummarizationParams, TranslationParams
from adapt_nlp.seq2seq import languages

if TYPE_CHECKING:
    from datasets import Dataset

TRANSLATION = "translation"
_INSPECTED_ROWS = 100


@attrs.frozen
class TextField:
    """One text of a row.

    Attributes:
        column: its column.
        key: the config key that names the column.
        language: its key where the column maps languages to texts; None for a column of texts.
        wanted: the language that was asked for: a row without the key has its text in that of another region, as
            translation memories of several regions have it (`en` in rows of `en-US` and of `en-GB`).
    """

    column: str
    key: str
    language: str | None = None
    wanted: str | None = None

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The required columns, each with the key that names it."""
        return [(self.column, self.key)]

    def text(self, row: Mapping[str, Any]) -> Any:
        """Return the text of a row, or whatever value it has there."""
        value = row[self.column]
        return self._in(value) if self.language is not None and isinstance(value, Mapping) else value

    def _in(self, texts: Mapping[str, Any]) -> Any:
        text = texts.get(str(self.language))
        if text is not None or self.wanted is None:
            return text
        there = _match(self.wanted, tuple(name for name, other in texts.items() if other is not None))
        return None if there is None else texts[there]

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """Return why a row has no usable text here, or None."""
        value = row[self.column]
        if self.language is None:
            fault = text_fault(value)
            return f"column {self.column!r} {fault}" if fault else None
        if not isinstance(value, Mapping):
            wrong = text_fault(value) if value is None else f"is {type(value).__name__} {value!r}"
            return f"column {self.column!r} {wrong}; it maps languages to texts"
        fault = text_fault(self._in(value))
        return f"column {self.column!r}, language {self.language!r}: {fault.removeprefix('is ')}" if fault else None


@lru_cache(maxsize=4096)
def _match(wanted: str, codes: tuple[str, ...]) -> str | None:
    """Return the code of a language that was asked for without a region; see `languages.match`."""
    has_region = "-" in wanted or "_" in wanted
    return None if has_region else languages.match(wanted, codes)


@attrs.frozen
class FormattedText:
    """A source text that FORMAT_STRING builds from several columns."""

    data: DataParams

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns of FORMAT_STRING."""
        return [(name, "FORMAT_STRING") for name in format_columns(self.data)]

    def text(self, row: Mapping[str, Any]) -> str | None:
        """Return the text of a row, None where every column is empty."""
        return format_row(row, self.data)

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """Return why a row has no usable text here, or None."""
        return "every column of FORMAT_STRING is empty" if text_fault(self.text(row)) else None


Source = TextField | FormattedText


def summary_fields(plan: Plan[SummarizationParams]) -> tuple[Source, TextField]:
    """Return source and target of summarization: the input column or FORMAT_STRING; target_column or `summary`."""
    target = TextField(str(plan.data.target_column or "summary"), "target_column")
    if plan.data.format_string:
        return FormattedText(plan.data), target
    return TextField(input_column(plan), "input_column"), target


def translation_fields(plan: Plan[TranslationParams], columns: Columns, split: str) -> tuple[Source, TextField]:
    """Return source and target of translation; see `translation_field`.

    Raises:
        DataError: a column of translations lacks one of the languages.
    """
    target = translation_field(plan, columns, split, "target")
    if plan.data.format_string:
        return FormattedText(plan.data), target
    return translation_field(plan, columns, split, "source"), target


def translation_field(
    plan: Plan[TranslationParams], columns: Columns, split: str, side: Literal["source", "target"]
) -> TextField:
    """Return where one side of a translation is.

    It is the first that exists of: the column that input_column or target_column names, a column `translation`, a
    column named by the language, and for the source dataset_text_field. A column of mappings is read by language.

    Raises:
        DataError: a column of translations lacks the language.
    """
    params = plan.task.params
    language, key, named = (
        (params.source_lang, "input_column", plan.data.input_column)
        if side == "source"
        else (params.target_lang, "target_column", plan.data.target_column)
    )
    if named is None:
        own = languages.match(language, [name for name in columns if name != TRANSLATION])
        text = params.dataset_text_field if side == "source" else None
        candidates = [TRANSLATION, own, text]
        named = next((name for name in candidates if name is not None and name in columns), TRANSLATION)
    known = columns.get(named)
    if not known:
        return TextField(str(named), key)
    found = languages.match(language, known)
    if found is None:
        raise DataError(
            f"{side}_lang: the column {named!r} of the {split} split has no {language!r}; it has {', '.join(known)}. "
            "Set source_lang and target_lang to languages that it has."
        )
    return TextField(str(named), key, found, language)


def columns_of(rows: Dataset) -> Columns:
    """Return the columns of a split, with the languages of those that map languages to texts."""
    first = rows.select(range(min(len(rows), _INSPECTED_ROWS)))
    return {**dict.fromkeys(rows.column_names, ()), **columns_of_rows(first)}
