"""Texts of evaluations are those that `generate` writes for each prompt alone, whatever they are batched with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapt_core.distributed.world import World

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.alike import Writer, can_write_together
from adapt_nlp.text_generation.shared_writing import write_texts

Load = Callable[..., Writer]

PROMPTS = [
    "my parcel",
    "where is the room? " * 3,
    "a",
    "the invoice of the workshop in May was paid twice, and nobody answers " * 2,
    "hello there",
    "events",
    "who",
    "to whom it may concern: the account is locked " * 4,
    "the room is cold",
]


@pytest.fixture(params=["tiny_llama", "tiny_gpt2"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def make(
    folder: Path, *, dtype: torch.dtype = torch.float32, most: int = 4, **params: Any
) -> tuple[Writer, list[list[int]]]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # a new model's scores lie too close to tell texts apart
            parameter.mul_(2.0 if parameter.ndim > 1 else 1.0)
    settings = TextGenerationParams(**{"max_new_tokens": 24, **params})
    rows = [tokenizer(text)["input_ids"] for text in PROMPTS]
    return Writer(model=model, tokenizer=tokenizer, params=settings, most=most, seed=7), rows


def alone(writer: Writer, rows: list[list[int]]) -> list[str]:
    """What transformers writes, a prompt at a time."""
    texts = []
    for row in rows:
        ids = torch.tensor([row])
        found = writer.model.generate(  # type: ignore[operator]
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=writer.params.max_new_tokens,
            do_sample=False,
            pad_token_id=writer.tokenizer.pad_token_id,
        )
        texts.append(writer.tokenizer.decode(found[0, len(row) :], skip_special_tokens=True))
    return texts


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("most", [3, 16])
def test_batched_texts_are_those_of_each_row_alone(folder: Path, dtype: torch.dtype, most: int) -> None:
    writer, rows = make(folder, dtype=dtype, most=most)
    wanted = alone(writer, rows)
    assert len(set(wanted)) > 3
    assert write_texts(writer, rows, World()) == wanted


def test_in_float32_batches_are_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, rows = make(folder)
    single: list[int] = []

    def again(_writer: Writer, _row: list[int], number: int) -> str:
        single.append(number)
        return "again"

    monkeypatch.setattr(Writer, "alone", again)
    texts = write_texts(writer, rows, World())
    assert len(single) <= 2  # a batch of one is left over, and a lead may be small
    assert texts.count("again") == len(single)


def test_where_the_best_tokens_lie_close_rows_are_written_again(folder: Path) -> None:
    writer, rows = make(folder)
    assert writer.together(rows[:2], least=1e6) == [None, None]
    assert None not in writer.together([rows[1], rows[1]], least=0.0)


def test_a_model_that_reads_its_padding_writes_each_row_alone(folder: Path) -> None:
    writer, rows = make(folder)
    plain = writer.model.forward

    def reads_padding(*args: Any, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> Any:
        return plain(
            *args, attention_mask=None if attention_mask is None else torch.ones_like(attention_mask), **kwargs
        )

    writer.model.forward = reads_padding
    assert writer.difference(rows) == float("inf")
    assert write_texts(writer, rows, World()) == alone(writer, rows)


def test_prompts_near_the_model_s_last_position_get_the_room_that_they_have(folder: Path) -> None:
    writer, rows = make(folder, max_new_tokens=200)
    assert {len(batch) for batch in writer.batches(rows)} != {1}
    assert write_texts(writer, rows, World()) == [
        text[: len(text)] for text in (alone_within_positions(writer, row) for row in rows)
    ]


def alone_within_positions(writer: Writer, row: list[int]) -> str:
    room = min(200, int(writer.model.config.max_position_embeddings) - len(row))  # type: ignore[union-attr, arg-type]
    short = attrs.evolve(writer, params=attrs.evolve(writer.params, max_new_tokens=room))
    return alone(short, [row])[0]


def test_sampled_texts_depend_on_the_row_and_not_on_the_batches(folder: Path) -> None:
    writer, rows = make(folder, temperature=1.0)
    texts = write_texts(writer, rows, World())
    state = torch.get_rng_state()
    assert write_texts(attrs.evolve(writer, most=1), rows, World()) == texts
    assert write_texts(writer, rows[:3], World()) == texts[:3]
    assert torch.equal(torch.get_rng_state(), state)
    assert texts != write_texts(attrs.evolve(writer, seed=8), rows, World())


@pytest.mark.parametrize("setting", [{"repetition_penalty": 1.3}, {"num_beams": 2}, {"no_repeat_ngram_size": 2}])
def test_settings_that_read_the_padding_rule_batches_out(folder: Path, setting: dict[str, Any]) -> None:
    writer, rows = make(folder, max_new_tokens=8)
    assert can_write_together(writer.model, writer.params)
    for name, value in setting.items():
        setattr(writer.model.generation_config, name, value)
    assert not can_write_together(writer.model, writer.params)
    assert write_texts(writer, rows, World()) == alone(writer, rows)
