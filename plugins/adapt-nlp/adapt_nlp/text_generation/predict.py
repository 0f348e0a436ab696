"""Prompts from texts, files and JSON objects, and what a model writes behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.data.columns import format_columns, format_row, text_fault
from adapt_core.hf.data.source import BUILDERS, load_raw

from adapt_nlp.text_generation.chat import as_text, chat_fault, template_fault
from adapt_nlp.text_generation.row_formats import INSTRUCTION, INSTRUCTION_INPUT, MESSAGES, PROMPT, asked


def read_prompts(arguments: Sequence[str], plan: Plan) -> list[Any]:
    """Texts and rows of the arguments, in order: a text, a JSON object, or a file of texts or rows.

    Raises:
        InputError: nothing at all, or a file that cannot be read.
    """
    prompts: list[Any] = []
    for argument in arguments:
        path = Path(argument) if len(argument) < 4096 else None
        if path is not None and path.suffix.casefold() in BUILDERS and path.is_file():
            prompts.extend(_from_file(path, plan))
        else:
            prompts.append(_object(argument) or argument)
    if not prompts:
        raise InputError("adapt predict needs at least one prompt or file.")
    return prompts


def _object(argument: str) -> dict[str, Any] | None:
    if not argument.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(argument)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _from_file(path: Path, plan: Plan) -> list[Any]:
    import attrs

    if path.suffix.casefold() == ".txt":
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    source = attrs.evolve(
        plan.data, custom_dataset_path=str(path), dataset=None, train_dir=None, val_dir=None, test_dir=None
    )
    return list(load_raw(source)["train"])


def as_prompt(given: Any, plan: Plan, tokenizer: Any, is_chat: bool, place: str) -> str:
    """What the model goes on from.

    Args:
        given: a text, or a row: `messages`, `instruction` (and `input`), the columns of FORMAT_STRING, or the input
            column (`prompt` or the text field where none is named).
        plan: the plan.
        tokenizer: of the adapted model.
        is_chat: whether a text is a user's turn, as the model was trained.
        place: for messages ("input 3").

    Raises:
        InputError: there is nothing to go on from.
    """
    if isinstance(given, str):
        if fault := text_fault(given):
            raise InputError(f"{place} {fault}.")
        return as_text(tokenizer, [{"role": "user", "content": given}], answer_follows=True) if is_chat else given
    data = plan.data
    if data.format_string and all(name in given for name in format_columns(data)):
        text = format_row(given, data)
        if text is None:
            raise InputError(f"{place}: every column of FORMAT_STRING is empty.")
        return text
    for name in (data.input_column, MESSAGES):
        if name and isinstance(given.get(name), list):
            return _conversation(given[name], name, tokenizer, place)
    if INSTRUCTION in given and not data.input_column:
        if fault := text_fault(given[INSTRUCTION]):
            raise InputError(f"{place}: {INSTRUCTION!r} {fault}.")
        return as_prompt(asked(given[INSTRUCTION], given.get(INSTRUCTION_INPUT)), plan, tokenizer, is_chat, place)
    return as_prompt(_text_of(given, plan, place), plan, tokenizer, is_chat, place)


def _conversation(turns: list[Any], column: str, tokenizer: Any, place: str) -> str:
    if not tokenizer.chat_template:
        raise InputError(f"{place} is a conversation, and the model was trained on plain text: give a text.")
    fault = chat_fault(turns, column, needs_answer=False)
    if fault is None and turns[-1]["role"] == "assistant":
        fault = "the last turn is the assistant's, so there is nothing to answer"
    if fault := fault or template_fault(tokenizer, turns):
        raise InputError(f"{place}: {fault}.")
    return as_text(tokenizer, turns, answer_follows=True)


def _text_of(given: Mapping[str, Any], plan: Plan, place: str) -> str:
    names = [plan.data.input_column] if plan.data.input_column else [PROMPT, plan.task.params.dataset_text_field]
    name = next((name for name in names if name in given), None)
    if name is None:
        raise InputError(
            f"{place} has no {' or '.join(repr(n) for n in names)}, {INSTRUCTION!r} or {MESSAGES!r}; "
            f"it has: {', '.join(given)}."
        )
    if fault := text_fault(given[name]):
        raise InputError(f"{place}: {name!r} {fault}.")
    return str(given[name])


def go_on(
    model: Any, tokenizer: Any, prompts: Mapping[str, str], plan: Plan, is_chat: bool, most: int | None = None
) -> list[str]:
    """What the model writes behind prompts, all at once, without special tokens.

    Greedy where `temperature` is 0, else sampled with it and `top_p`. At most `most` tokens, `max_new_tokens` where
    that is None.

    Args:
        model: in evaluation mode.
        tokenizer: of the model.
        prompts: by their place ("input 3").
        plan: for the sampling.
        is_chat: whether a template wrote the special tokens.
        most: tokens of each text.

    Raises:
        InputError: a prompt leaves no room within the model's positions.
    """
    import torch

    from adapt_core.distributed.sharding import compute_device

    params = plan.task.params
    encoded = tokenizer(
        list(prompts.values()),
        add_special_tokens=not is_chat,
        padding=True,
        padding_side="left",
        return_tensors="pt",
    )
    longest = encoded["input_ids"].shape[1]
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    room = positions - longest if isinstance(positions, int) and positions > 0 else params.max_new_tokens
    for place, length in zip(prompts, encoded["attention_mask"].sum(dim=1).tolist(), strict=True):
        if length == 0 or (length == longest and room < 1):
            reads = f"the model reads 1 to {(positions or 2) - 1} before it answers"
            raise InputError(f"{place} has {length} tokens; {reads}.")
    sampling = {"do_sample": True, "temperature": params.temperature, "top_p": params.top_p, "top_k": 0}
    device = compute_device(model)
    with torch.inference_mode():
        written = model.generate(
            input_ids=encoded["input_ids"].to(device),
            attention_mask=encoded["attention_mask"].to(device),
            max_new_tokens=min(params.max_new_tokens if most is None else most, room),
            pad_token_id=tokenizer.pad_token_id,
            **(sampling if params.temperature else {"do_sample": False}),
        )
    texts: list[str] = tokenizer.batch_decode(written[:, longest:], skip_special_tokens=True)
    return texts
