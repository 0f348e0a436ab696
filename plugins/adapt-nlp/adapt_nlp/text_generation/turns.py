"""The turns of a conversation, from the forms that data has them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SYSTEM, USER, ASSISTANT, TOOL = ROLES = ("system", "user", "assistant", "tool")

FROM = "from"
"""The key of a ShareGPT turn's sender, which a turn keeps where its text is a call."""

CALL_SENDER = "function_call"

LEARNED = ("weight", "train", "loss")
"""Keys of a turn that say whether it is learned, which no template sees: OpenAI's, axolotl's and ms-swift's."""

_OTHER_NAMES = {"developer": SYSTEM, "function": TOOL}
"""OpenAI's roles of later and earlier files."""

_SENDERS = {"human": USER, "gpt": ASSISTANT, CALL_SENDER: ASSISTANT, "observation": TOOL, **_OTHER_NAMES}
"""ShareGPT's."""


def turns_of(cell: object, role: str | None = None) -> Any:
    """Return the turns of a cell as {"role", "content"} and further keys of each.

    They may be {"from", "value"}, as ShareGPT has them, and their content a list of texts, as OpenAI's files have it.

    Args:
        cell: turns; anything that is none stays as it is.
        role: of a text, which then is one turn; None leaves texts as they are.
    """
    if isinstance(cell, str) and role is not None:
        return [{"role": role, "content": cell}]
    return [_turn(turn) for turn in cell] if isinstance(cell, list) else cell


def _turn(turn: object) -> object:
    if not isinstance(turn, Mapping):
        return turn
    if "role" in turn:
        return {**turn, "role": _named(turn["role"], _OTHER_NAMES), "content": _joined(turn.get("content"))}
    if not {FROM, "value"} <= turn.keys():
        return turn
    kept = ("value",) if turn[FROM] == CALL_SENDER else (FROM, "value")
    rest = {key: value for key, value in turn.items() if key not in kept}
    return {"role": _named(turn[FROM], _SENDERS), "content": turn["value"], **rest}


def _named(role: object, names: Mapping[str, str]) -> object:
    return names.get(role, role) if isinstance(role, str) else role


def _joined(content: object) -> object:
    """Return a content of several texts as one; anything else stays as it is."""
    if not isinstance(content, list) or not content:
        return content
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in content]
    return "".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else content


def is_learned(turn: Mapping[str, Any]) -> bool:
    """Return whether a turn is an answer to learn: the assistant's, unless `weight`, `train` or `loss` says no.

    A `loss` that is a number is a figure of somebody's, and says nothing.
    """
    if turn["role"] != ASSISTANT or turn.get("weight") == 0 or turn.get("loss") is False:
        return False
    return turn.get("train") in (None, True)
