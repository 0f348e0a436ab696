"""Variables of the chat template: those of the config for all rows, and those of a row's own columns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from adapt_nlp.text_generation.templates import template_source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATE_VARIABLES = "chat_template_kwargs"
"""The key of the config, and the column of the data, with a mapping of variables, as trl names it."""

DOCUMENTS, ENABLE_THINKING = "documents", "enable_thinking"
KNOWN_VARIABLES = (DOCUMENTS, ENABLE_THINKING)
"""Variables that are taken from a column of their name, whether or not the template has them."""

_GIVEN = (
    "messages",
    "tools",
    "add_generation_prompt",
    "continue_final_message",
    "conversation",
    "chat_template",
    "tokenize",
    "padding",
    "truncation",
    "max_length",
    "return_tensors",
    "return_dict",
    "return_assistant_tokens_mask",
    "tokenizer_kwargs",
    "raise_exception",
    "strftime_now",
)
"""What `apply_chat_template` is called with or adds itself, so that it is no variable of a row."""

_GENERATION = re.compile(r"{%-?\s*(end)?generation\s*-?%}")
"""The tag that transformers adds to Jinja."""


def variable_columns(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """Return the names of columns that are given to the chat template: the known ones, and all variables it has."""
    taken = {*tokenizer.special_tokens_map, *KNOWN_VARIABLES, TEMPLATE_VARIABLES}
    return (TEMPLATE_VARIABLES, *KNOWN_VARIABLES, *sorted(_variables(template_source(tokenizer)) - taken))


@cache
def _variables(template: str) -> frozenset[str]:
    """Return the variables that a template reads and nothing but a row can give; parsed once, not for each prompt."""
    from jinja2 import Environment, TemplateSyntaxError, meta

    grammar = Environment(autoescape=True, extensions=["jinja2.ext.loopcontrols"])
    try:
        named = meta.find_undeclared_variables(grammar.parse(_GENERATION.sub("", template)))
    except TemplateSyntaxError:  # rendering the first row reports it
        named = set()
    return frozenset(named - {*_GIVEN, *grammar.globals})


def read_variables(row: Mapping[str, Any], columns: Sequence[str], common: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the variables of a row: the config's, those of its mapping over them, and its columns' over both.

    Args:
        row: an empty (null) cell gives no variable. Text of a table that is JSON of a truth value, list or mapping is
            read as that.
        columns: of `variable_columns`; those that the row lacks give none.
        common: of the config.

    Raises:
        ValueError: `chat_template_kwargs` is no mapping, or has a name that adapt gives itself.
    """
    own = _value(row.get(TEMPLATE_VARIABLES)) if TEMPLATE_VARIABLES in columns else None
    if own is not None:
        if not isinstance(own, Mapping):
            raise ValueError(f"{type(own).__name__} {str(own)[:60]!r}, not a mapping of variables")
        if fault := names_fault(own):
            raise ValueError(fault)
    cells = {name: _value(row.get(name)) for name in columns if name != TEMPLATE_VARIABLES}
    given = {name: value for name, value in cells.items() if value is not None}
    found = {**(common or {}), **(own or {}), **given}
    return {name: value for name, value in found.items() if value is not None}


def has_variable(tokenizer: PreTrainedTokenizerBase, name: str) -> bool:
    """Return whether the chat template may read a variable: its text has the name."""
    return name in template_source(tokenizer)


def names_fault(variables: Mapping[str, Any]) -> str | None:
    """Return which name of a mapping of variables adapt gives to the template itself, or None."""
    name = next((name for name in variables if name in _GIVEN), None)
    return None if name is None else f"a mapping with {name!r}, which adapt gives to the chat template itself"


def variables_fault(row: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    """Return why a row's variables cannot be given to the template, or None."""
    try:
        read_variables(row, columns, None)
    except ValueError as error:
        return f"column {TEMPLATE_VARIABLES!r} is {error}"
    return None


def _value(cell: object) -> Any:
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return cell
    return cell or None
