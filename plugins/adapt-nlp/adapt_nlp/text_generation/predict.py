"""Prompts from texts, files and JSON objects, and the text that a model generates from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.data.columns import format_columns, format_row, text_fault
from adapt_core.hf.tasks.inputs import data_file, file_lines, file_rows, json_object

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.chat import Conversation, Turns, marked_prompt, template_fault
from adapt_nlp.text_generation.context_columns import CONTEXT, HISTORY, context_fault, has_form, tools_of, with_context
from adapt_nlp.text_generation.conversation_faults import chat_fault
from adapt_nlp.text_generation.marked_text import MarkedText, added_tokens, tokenize_marked
from adapt_nlp.text_generation.row_formats import CONVERSATIONS, INSTRUCTION, INSTRUCTION_INPUT, MESSAGES, PROMPT
from adapt_nlp.text_generation.row_texts import instruction_text
from adapt_nlp.text_generation.template_variables import read_variables, variable_columns, variables_fault
from adapt_nlp.text_generation.turns import ASSISTANT, USER, turns_of

if TYPE_CHECKING:
    from torch import nn
    from transformers import LogitsProcessor, PreTrainedTokenizerBase

Given = str | Mapping[str, Any]
"""An input of `adapt predict`: a text or a row."""


def read_prompts(arguments: Sequence[str], plan: Plan) -> list[Given]:
    """Return the inputs of the arguments, in order: each is a text, a JSON object, or a file of texts or rows.

    Raises:
        InputError: there is no input, or a file cannot be read.
    """
    prompts: list[Given] = []
    for argument in arguments:
        path = data_file(argument, plan.formats)
        if path is None:
            prompts.append(json_object(argument) or argument)
        else:
            prompts.extend(_file_inputs(path, plan))
    if not prompts:
        raise InputError("adapt predict needs at least one prompt or file.")
    return prompts


def _file_inputs(path: Path, plan: Plan) -> list[Given]:
    if path.suffix.casefold() == ".txt":
        return list(file_lines(path))
    return list(file_rows(path, plan))


@attrs.frozen
class Prompt:
    """An input as it was asked, and as the model gets it."""

    asked: str
    marked: MarkedText


def as_prompt(
    given: Given, plan: Plan[TextGenerationParams], tokenizer: PreTrainedTokenizerBase, name: str, *, is_chat: bool
) -> Prompt:
    """Return the prompt of an input.

    Args:
        given: a text, or a row: `messages`, `conversations`, `prompt` of turns, `instruction` (`input`), the columns of
            FORMAT_STRING, or the input column (`prompt` or the text field where none is named); with each, `tools` and
            variables of the chat template.
        plan: the plan.
        tokenizer: of the adapted model.
        name: for messages ("input 3").
        is_chat: whether the model was trained on conversations, so that a text is a user's turn.

    Raises:
        InputError: the input has no prompt.
    """
    if isinstance(given, str):
        if fault := text_fault(given):
            raise InputError(f"{name} {fault}. Give a text.")
        return _asked(given, {}, plan, tokenizer, name, is_chat=is_chat)
    data = plan.data
    if data.format_string and all(column in given for column in format_columns(data)):
        text = format_row(given, data)
        if text is None:
            raise InputError(f"{name}: every column of FORMAT_STRING is empty. Fill one.")
        return Prompt(text, MarkedText(text))
    for column in (data.input_column, plan.task.params.dataset_text_field, MESSAGES, CONVERSATIONS, PROMPT):
        if column and isinstance(given.get(column), list):
            turns = turns_of(given[column])
            if fault := chat_fault(turns, column, needs_answer=False):
                raise InputError(f"{name}: {fault}. Correct the turns.")
            beside = {column: cell for column, cell in given.items() if column != HISTORY}
            return _conversation(turns, beside, plan, tokenizer, name)
    if INSTRUCTION in given and data.input_column in (None, INSTRUCTION):
        if fault := text_fault(given[INSTRUCTION]):
            raise InputError(f"{name}: {INSTRUCTION!r} {fault}. Give a text.")
        asked = instruction_text(given[INSTRUCTION], given.get(INSTRUCTION_INPUT))
    else:
        asked = _row_prompt(given, plan, name)
    return _asked(asked, given, plan, tokenizer, name, is_chat=is_chat)


def _asked(
    text: str,
    row: Mapping[str, Any],
    plan: Plan[TextGenerationParams],
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    *,
    is_chat: bool,
) -> Prompt:
    if not is_chat:
        return Prompt(text, MarkedText(text))
    return _conversation([{"role": USER, "content": text}], row, plan, tokenizer, name)


def without_last_answer(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose conversation ends with the turn that is to be answered."""
    return {name: _until_asked(turns_of(cell)) if isinstance(cell, list) else cell for name, cell in row.items()}


def _until_asked(turns: list[Any]) -> list[Any]:
    answers = [isinstance(turn, Mapping) and turn.get("role") == ASSISTANT for turn in turns]
    stop = len(turns) - next((number for number, is_answer in enumerate(reversed(answers)) if not is_answer), 0)
    return turns[:stop]


def _conversation(
    turns: Turns,
    row: Mapping[str, Any],
    plan: Plan[TextGenerationParams],
    tokenizer: PreTrainedTokenizerBase,
    name: str,
) -> Prompt:
    """Return turns as a prompt, with the tools and the variables of the chat template that their row has."""
    if not tokenizer.chat_template:
        raise InputError(f"{name} is a conversation, and the model was trained on plain text: give a text.")
    if turns[-1]["role"] == ASSISTANT:
        raise InputError(
            f"{name}: the last turn is the assistant's, so there is nothing to answer. End with the user's turn."
        )
    columns = variable_columns(tokenizer)
    taken = (*columns, plan.data.input_column, plan.data.target_column)
    beside = {name: row.get(name) for name in CONTEXT if name not in taken and has_form(name, row.get(name))}
    if fault := context_fault(beside) or variables_fault(row, columns):
        raise InputError(f"{name}: {fault}. Correct the column.")
    variables = read_variables(row, columns, plan.task.params.chat_template_kwargs)
    conversation = Conversation(with_context(turns, beside), tools_of(beside), variables)
    if fault := template_fault(tokenizer, conversation):
        raise InputError(f"{name}: {fault}. Correct the turns.")
    return Prompt(turns[-1]["content"], marked_prompt(tokenizer, conversation))


def _row_prompt(given: Mapping[str, Any], plan: Plan[TextGenerationParams], name: str) -> str:
    columns = [plan.data.input_column] if plan.data.input_column else [PROMPT, plan.task.params.dataset_text_field]
    column = next((column for column in columns if column in given), None)
    if column is None:
        raise InputError(
            f"{name} has no {' or '.join(repr(column) for column in columns)}, {INSTRUCTION!r} or {MESSAGES!r}; "
            f"it has: {', '.join(given)}."
        )
    if fault := text_fault(given[column]):
        raise InputError(f"{name}: {column!r} {fault}. Give a text.")
    return str(given[column])


def prompt_tokens(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, prompts: Mapping[str, MarkedText], *, is_chat: bool
) -> list[list[int]]:
    """Return the tokens of prompts, after checking that the model can write behind each. The arguments are those of
    `generate_texts`.

    Raises:
        InputError: a prompt is empty, or leaves no room within the model's positions.
    """
    before = [] if is_chat else added_tokens(tokenizer)[0]
    tokens = [ids for ids, _ in tokenize_marked(tokenizer, list(prompts.values()))]
    rows = [ids if ids[: len(before)] == before else [*before, *ids] for ids in tokens]
    positions = positions_of_model(model)
    for name, ids in zip(prompts, rows, strict=True):
        if not ids:
            raise InputError(f"{name} has no tokens: give a text.")
        if positions is not None and len(ids) >= positions:
            raise InputError(f"{name} has {len(ids)} tokens; the model takes prompts of 1 to {positions - 1}.")
    return rows


def positions_of_model(model: nn.Module) -> int | None:
    """Return the most tokens of a prompt and its text together; None where the model names no limit."""
    module: Any = model
    positions = getattr(module.config.get_text_config(), "max_position_embeddings", None)
    return positions if isinstance(positions, int) and positions > 0 else None


def generate_texts(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Mapping[str, MarkedText],
    params: TextGenerationParams,
    *,
    is_chat: bool,
    max_new_tokens: int | None = None,
) -> list[str]:
    """Return the text that a model generates from each prompt, all in one batch, without special tokens.

    Decoding is greedy where `temperature` is 0, else sampled with `temperature` and `top_p` (Holtzman et al., 2020).

    Args:
        model: in evaluation mode.
        tokenizer: of the model.
        prompts: by their name ("input 3").
        params: for the decoding.
        is_chat: whether a template rendered the special tokens.
        max_new_tokens: tokens of each text at most; the task's parameter where it is None.

    Raises:
        InputError: a prompt is empty, or leaves no room within the model's positions.
    """
    rows = prompt_tokens(model, tokenizer, prompts, is_chat=is_chat)
    return generate_continuations(model, tokenizer, rows, params, max_new_tokens=max_new_tokens)


def decoding_of(
    model: nn.Module, longest: int, params: TextGenerationParams, max_new_tokens: int | None = None
) -> dict[str, Any]:
    """Return the arguments of `generate` that choose each token, and how many.

    Args:
        model, params, max_new_tokens: those of `generate_texts`.
        longest: tokens of the longest prompt.
    """
    positions = positions_of_model(model)
    wanted = params.max_new_tokens if max_new_tokens is None else max_new_tokens
    room = params.max_new_tokens if positions is None else positions - longest
    sampling = {"do_sample": True, "temperature": params.temperature, "top_p": params.top_p, "top_k": 0}
    return {
        "max_new_tokens": min(wanted, room),
        **(sampling if params.temperature else {"do_sample": False}),
    }


def generate_continuations(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[list[int]],
    params: TextGenerationParams,
    *,
    max_new_tokens: int | None = None,
    watch: LogitsProcessor | None = None,
) -> list[str]:
    """Return the text that a model generates behind each row of tokens; see `generate_texts`.

    Args:
        model, tokenizer, params, max_new_tokens: those of `generate_texts`.
        rows: what `prompt_tokens` returned.
        watch: sees the scores of each step, and returns them as they are.
    """
    import torch

    from adapt_core.distributed.sharding import compute_device

    module: Any = model
    encoded = tokenizer.pad({"input_ids": list(rows)}, padding_side="left", return_tensors="pt")
    longest = encoded["input_ids"].shape[1]
    device = compute_device(model)
    with torch.inference_mode():
        generated = module.generate(
            input_ids=encoded["input_ids"].to(device),
            attention_mask=encoded["attention_mask"].to(device),
            pad_token_id=tokenizer.pad_token_id,
            use_cache=True,
            **({} if watch is None else {"logits_processor": [watch]}),
            **decoding_of(model, longest, params, max_new_tokens),
        )
    texts: list[str] = tokenizer.batch_decode(generated[:, longest:], skip_special_tokens=True)
    return texts


def decoding(params: TextGenerationParams) -> str:
    """Return how `generate` decodes by these parameters: keyword arguments, as Python code."""
    sampling = f"do_sample=True, temperature={params.temperature}, top_p={params.top_p}, top_k=0"
    return f"max_new_tokens={params.max_new_tokens}, {sampling if params.temperature else 'do_sample=False'}"
