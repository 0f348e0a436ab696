"""Where the source and the target text of a row stand: in a column, or in one language of a column of translations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import format_columns, format_row, text_fault

from adapt_nlp.seq2seq import languages

if TYPE_CHECKING:
    from datasets import Dataset

TRANSLATION = "translation"
_LOOKED_AT = 100


@attrs.frozen
class Place:
    """One text of a row.

    Attributes:
        column: its column.
        key: the config key that names it.
        language: its key inside a column that maps languages to texts, or None for a column of texts.
    """

    column: str
    key: str
    language: str | None = None

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns that must be there, with the key that named each."""
        return [(self.column, self.key)]

    def text(self, row: Mapping[str, Any]) -> Any:
        """The text of one row, or whatever stands there."""
        value = row[self.column]
        return value.get(self.language) if self.language is not None and isinstance(value, Mapping) else value

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """Why a row has no usable text here, or None."""
        value = row[self.column]
        if self.language is None:
            fault = text_fault(value)
            return f"column {self.column!r} {fault}" if fault else None
        if not isinstance(value, Mapping):
            wrong = text_fault(value) if value is None else f"is {type(value).__name__} {value!r}"
            return f"column {self.column!r} {wrong}; it maps languages to texts"
        fault = text_fault(value.get(self.language))
        return f"column {self.column!r}, language {self.language!r}: {fault.removeprefix('is ')}" if fault else None


@attrs.frozen
class Formatted:
    """A source text that FORMAT_STRING builds from several columns."""

    plan: Plan

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns of FORMAT_STRING."""
        return [(name, "FORMAT_STRING") for name in format_columns(self.plan.data)]

    def text(self, row: Mapping[str, Any]) -> Any:
        """The text of one row, None where every column is empty."""
        return format_row(dict(row), self.plan.data)

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """Why a row has no usable text here, or None."""
        return "every column of FORMAT_STRING is empty" if text_fault(self.text(row)) else None


def column_places(plan: Plan) -> tuple[Place | Formatted, Place]:
    """Source and target of summarization: input_column or dataset_text_field, and target_column or `summary`."""
    source = Place(str(plan.data.input_column or plan.task.params.dataset_text_field), "input_column")
    return (
        Formatted(plan) if plan.data.format_string else source,
        Place(str(plan.data.target_column or "summary"), "target_column"),
    )


def translated_places(plan: Plan, rows: Dataset, split: str) -> tuple[Place | Formatted, Place]:
    """Source and target of translation.

    Each is looked for in the column that input_column or target_column names, in a column `translation`, and in a
    column named by the language; the source in dataset_text_field, too. A column of mappings is read by language.

    Raises:
        DataError: a column of translations does not have one of the languages.
    """
    target = source_or_target(plan, rows, split, "target")
    if plan.data.format_string:
        return Formatted(plan), target
    return source_or_target(plan, rows, split, "source"), target


def source_or_target(plan: Plan, rows: Dataset, split: str, side: str) -> Place:
    """One side of `translated_places`; `side` is "source" or "target"."""
    params = plan.task.params
    language, key, named = (
        (params.source_lang, "input_column", plan.data.input_column)
        if side == "source"
        else (params.target_lang, "target_column", plan.data.target_column)
    )
    if named is None:
        own = languages.match(language, [name for name in rows.column_names if name != TRANSLATION])
        text = params.dataset_text_field if side == "source" else None
        candidates = [TRANSLATION, own, text]
        named = next((name for name in candidates if name is not None and name in rows.column_names), TRANSLATION)
    if named not in rows.column_names:
        return Place(str(named), key)
    held = _languages_in(rows, named)
    if not held:
        return Place(str(named), key)
    found = languages.match(language, held)
    if found is None:
        raise DataError(
            f"{side}_lang: the column {named!r} of the {split} split has no {language!r}; it has {', '.join(held)}. "
            "Set source_lang and target_lang to what it has."
        )
    return Place(str(named), key, found)


def _languages_in(rows: Dataset, column: str) -> list[str]:
    values = rows.select_columns([column])[:_LOOKED_AT][column]
    return list(dict.fromkeys(key for value in values if isinstance(value, Mapping) for key in value))
