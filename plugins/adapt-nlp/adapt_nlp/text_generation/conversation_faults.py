"""What is wrong with a conversation or its tools, as they stand in a row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapt_nlp.text_generation.chat import ASSISTANT, is_learned

ROLES = ("system", "user", "assistant", "tool")


_SENDERS = {"human": "user", "gpt": ASSISTANT, "function_call": ASSISTANT, "observation": "tool"}
"""Roles in the form of ShareGPT that have another name here."""


def turns_of(cell: object, role: str | None = None) -> Any:
    """Return the turns of a cell: {"role", "content"}, also where they are {"from", "value"}, as ShareGPT has them.

    Args:
        cell: turns; anything that is none stays as it is.
        role: of a text, which then is one turn; None leaves texts as they are.
    """
    if isinstance(cell, str) and role is not None:
        return [{"role": role, "content": cell}]
    return [_named(turn) for turn in cell] if isinstance(cell, list) else cell


def _named(turn: object) -> object:
    if not isinstance(turn, Mapping) or "role" in turn or not {"from", "value"} <= turn.keys():
        return turn
    sender = turn["from"]
    role = _SENDERS.get(sender, sender) if isinstance(sender, str) else sender
    rest = {key: value for key, value in turn.items() if key not in ("from", "value")}
    return {"role": role, "content": turn["value"], **rest}


def chat_fault(value: object, column: str, *, needs_answer: bool) -> str | None:
    """Return why a value is not a usable conversation, or None.

    Args:
        value: should be a list of {"role", "content"}.
        column: for the message.
        needs_answer: whether a turn must be the assistant's, and learned.
    """
    if value is None:
        return f"column {column!r} is missing (null)"
    if not isinstance(value, list):
        return f"column {column!r} is {type(value).__name__}, not a list of turns with role and content"
    if not value:
        return f"column {column!r} has no turns"
    for number, turn in enumerate(value, start=1):
        if not isinstance(turn, Mapping):
            return f"turn {number} is {type(turn).__name__} {turn!r}, not a mapping with role and content"
        if turn.get("role") not in ROLES:
            return f"turn {number} has the role {turn.get('role')!r}; roles are {', '.join(ROLES)}"
        if fault := _turn_fault(turn):
            return f"turn {number} ({turn['role']}) {fault}"
    if not needs_answer or any(is_learned(turn) for turn in value):
        return None
    if any(turn["role"] == ASSISTANT for turn in value):
        return "every turn of the assistant has weight 0 or train false, so there is no answer to learn"
    return "no turn is the assistant's, so there is no answer to learn"


def _turn_fault(turn: Mapping[str, Any]) -> str | None:
    content = turn.get("content")
    if content is not None and not isinstance(content, str):
        return f"has content that is not text ({content!r})"
    calls = turn["role"] == ASSISTANT and (turn.get("tool_calls") or turn.get("function_call"))
    if not calls and not (content or "").strip():
        return "has no content"
    if turn.get("weight") not in (None, 0, 1):
        return f"has the weight {turn['weight']!r}; it is 0 (read, not learned) or 1"
    if turn.get("train") not in (None, False, True):
        return f"has train {turn['train']!r}; it is true or false (read, not learned)"
    return None


def read_tools(value: object) -> list[dict[str, Any]] | None:
    """Return the tools of a cell: a list of JSON schemas, or JSON text of one; None for an empty cell.

    Raises:
        ValueError: it is neither.
    """
    try:
        found = json.loads(value) if isinstance(value, str) and value.strip() else value
    except ValueError as error:
        raise ValueError(f"text that is not JSON ({error})") from None
    if not found:
        return None
    if not isinstance(found, list) or not all(isinstance(tool, Mapping) for tool in found):
        raise ValueError(f"{type(found).__name__} {str(found)[:60]!r}, not a list of tools")
    return [dict(tool) for tool in found]


def tools_fault(value: object, column: str) -> str | None:
    """Return why a value is no list of tools, or None."""
    try:
        read_tools(value)
    except ValueError as error:
        return f"column {column!r} is {error}"
    return None
