"""Tool calls in the form that the chat template takes.

Data has them in several: `tool_calls` with arguments as a mapping or as JSON text (OpenAI's files), `function_call`
(OpenAI's before there were tools), and ShareGPT's turns from "function_call", whose text is the call. Templates differ
too: most write `arguments | tojson`, which quotes a text once more; some join them to a text, and refuse a mapping.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from adapt_nlp.text_generation.templates import template_errors, template_source
from adapt_nlp.text_generation.turns import CALL_SENDER, FROM

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CALLS = ("tool_calls", "function_call")
"""Keys of a turn."""

_PROBE = {"place": "Oslo"}


def for_template(turn: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return a turn with its calls as `tool_calls`, and their arguments as the chat template takes them.

    Where the template has no tool calls, what ShareGPT's turns say of theirs stays the turn's text.

    Args:
        turn: with the keys that the template is to see.
        tokenizer: with a chat template.
    """
    template = template_source(tokenizer)
    if CALLS[0] not in template and CALLS[1] in template:
        return {key: value for key, value in turn.items() if key != FROM}
    given = {key: value for key, value in turn.items() if key not in (*CALLS, FROM)}
    calls = turn.get("tool_calls")
    if isinstance(calls, str):
        calls = _read(calls)
    if not isinstance(calls, list):
        calls = [turn["function_call"]] if isinstance(turn.get("function_call"), Mapping) else []
    if turn.get(FROM) == CALL_SENDER and CALLS[0] in template:
        calls = list(_calls_in(turn.get("content"))) or calls
        given["content"] = None if calls else given.get("content")
    return {**given, CALLS[0]: [_call(call, tokenizer) for call in calls]} if calls else given


def called(turn: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the functions that a turn calls."""
    calls = turn.get("tool_calls") or [turn.get("function_call")]
    calls = _read(calls) if isinstance(calls, str) else calls
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, Mapping):
            function = call.get("function", call)
            yield str(function.get("name") if isinstance(function, Mapping) else function)


def _calls_in(text: object) -> Iterator[dict[str, Any]]:
    """Yield the calls that a text is: JSON of {"name", "arguments"}, or of a list of them."""
    found = _read(text)
    found = found if isinstance(found, list) else [found]
    if all(isinstance(call, dict) and {"name", "arguments"} <= call.keys() for call in found):
        yield from found


def _read(text: object) -> Any:
    """Return what a JSON text holds; None where it is none."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _call(call: object, tokenizer: PreTrainedTokenizerBase) -> object:
    if not isinstance(call, Mapping):
        return call
    whole = dict(call) if "function" in call else {"type": "function", "function": dict(call)}
    function = whole["function"]
    if isinstance(function, Mapping) and "arguments" in function:
        whole["function"] = {**function, "arguments": _arguments(function["arguments"], tokenizer)}
    return whole


def _arguments(given: object, tokenizer: PreTrainedTokenizerBase) -> object:
    if isinstance(given, str):
        if not takes_mappings(tokenizer):
            return given
        read = _read(given)
        return read if isinstance(read, dict) else given
    if isinstance(given, Mapping) and not takes_mappings(tokenizer):
        return json.dumps(given, ensure_ascii=False)
    return given


def takes_mappings(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether the chat template takes the arguments of a call as a mapping, as most do, and not as JSON text."""
    return _takes_mappings(tokenizer, template_source(tokenizer))


@lru_cache(maxsize=8)
def _takes_mappings(tokenizer: PreTrainedTokenizerBase, _template: str) -> bool:
    rendered = _rendered(tokenizer, _PROBE)
    if rendered is None:
        return _rendered(tokenizer, json.dumps(_PROBE)) is None
    return str(_PROBE) not in rendered  # a template that writes a mapping as Python does was made for texts


def _rendered(tokenizer: PreTrainedTokenizerBase, arguments: object) -> str | None:
    call = {"type": "function", "id": "000000000", "function": {"name": "weather", "arguments": arguments}}
    tool = {"type": "function", "function": {"name": "weather", "description": "", "parameters": {"type": "object"}}}
    asked = {"role": "user", "content": "How is the weather?"}
    turns: list[dict[str, Any]] = [asked, {"role": "assistant", "content": "", CALLS[0]: [call]}]
    try:
        return str(tokenizer.apply_chat_template(turns, tools=[tool], tokenize=False))
    except template_errors():
        return None
