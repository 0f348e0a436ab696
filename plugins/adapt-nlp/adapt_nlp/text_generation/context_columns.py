"""Columns beside a conversation: its system text, earlier questions with their answers, and the assistant's tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapt_nlp.text_generation.turns import ASSISTANT, SYSTEM, USER

TOOLS, FUNCTIONS, HISTORY = "tools", "functions", "history"

CONTEXT = (SYSTEM, HISTORY, TOOLS, FUNCTIONS)
"""Columns that a row of a conversation may have."""


def has_form(name: str, value: object) -> bool:
    """Return whether a value of a column is what `name` stands for here, and not something of the same name."""
    if name == SYSTEM:
        return isinstance(value, str)
    if name == HISTORY:
        return isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
    if name == FUNCTIONS:
        try:
            return value is not None and _schemas(value) is not None
        except ValueError:
            return False
    return True


def with_context(turns: list[dict[str, Any]], row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return turns behind those of a row's `system` and `history`; a system turn of their own stands."""
    text = row.get(SYSTEM)
    own = bool(turns) and turns[0].get("role") == SYSTEM
    begins = [{"role": SYSTEM, "content": text}] if text and text.strip() and not own else []
    earlier = [
        {"role": role, "content": content}
        for pair in row.get(HISTORY) or []
        for role, content in zip((USER, ASSISTANT), pair, strict=True)
    ]
    return [*begins, *earlier, *turns]


def context_fault(row: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the columns beside a conversation, or None."""
    for name in (TOOLS, FUNCTIONS):
        try:
            _schemas(row.get(name))
        except ValueError as error:
            return f"column {name!r} is {error}"
    if row.get(TOOLS) and row.get(FUNCTIONS):
        return f"columns {TOOLS!r} and {FUNCTIONS!r} both describe tools"
    text = row.get(SYSTEM)
    if text is not None and not isinstance(text, str):
        return f"column {SYSTEM!r} is {type(text).__name__} {str(text)[:60]!r}, not text"
    return _history_fault(row.get(HISTORY))


def _history_fault(history: object) -> str | None:
    if history is None:
        return None
    if not isinstance(history, list):
        return f"column {HISTORY!r} is {type(history).__name__}, not a list of questions with their answers"
    for number, pair in enumerate(history, start=1):
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not all(isinstance(text, str) and text.strip() for text in pair)
        ):
            return f"column {HISTORY!r}, entry {number}: {str(pair)[:60]!r} is not a question and its answer"
    return None


def tools_of(row: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the tools of a row as JSON schemas, None where it has none.

    `functions`, OpenAI's form before there were tools, has them without {"type": "function"}.

    Raises:
        ValueError: a column is neither a list of schemas nor JSON text of one.
    """
    functions = _schemas(row.get(FUNCTIONS))
    return _schemas(row.get(TOOLS)) or (
        functions and [tool if "function" in tool else {"type": "function", "function": tool} for tool in functions]
    )


def _schemas(value: object) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(value) if isinstance(value, str) and value.strip() else value
    except ValueError as error:
        raise ValueError(f"text that is not JSON ({error})") from None
    if not found:
        return None
    if not isinstance(found, list) or not all(isinstance(tool, Mapping) for tool in found):
        raise ValueError(f"{type(found).__name__} {str(found)[:60]!r}, not a list of tools")
    return [dict(tool) for tool in found]
