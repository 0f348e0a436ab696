"""What is wrong with a conversation, as it stands in a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapt_nlp.text_generation.turns import ASSISTANT, ROLES, is_learned


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
        return "every turn of the assistant has weight 0, or train or loss false, so there is no answer to learn"
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
