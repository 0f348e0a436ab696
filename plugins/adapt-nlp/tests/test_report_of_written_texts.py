"""What the tasks that write texts give the report and `adapt check`: sources, targets, and the model's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core import api

from .seq2seq_models import english, translations, write

Keys = dict[str, Any]


@pytest.fixture
def pairs(keys: Keys, tmp_path: Path, tiny_t5: Path) -> Callable[..., Keys]:
    """The config of a task on an encoder-decoder, two steps."""
    documents = [{"document": english(n), "summary": " ".join(english(n).split()[:2])} for n in range(16)]
    data = {
        "translation": write(tmp_path / "pairs", train=translations(16), validation=translations(8, 500)),
        "summarization": write(tmp_path / "documents", train=documents, validation=documents[:8]),
    }

    def of(task: str) -> Keys:
        limits = {"max_input_length": 32, "max_target_length": 8, "generation_max_length": 8}
        model = {"MODEL_PATH": str(tiny_t5), "CUSTOM_DATASET_PATH": str(data[task])}
        return {**keys, "TASK": task, "MAX_STEPS": 2, **model, **limits}

    return of


def test_texts_of_the_evaluation_are_shown_and_not_written_again(
    pairs: Callable[..., Keys], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapt_core.run(pairs("summarization"))
    written = {moment: evidence(tmp_path, moment) for moment in ("before", "after")}
    monkeypatch.setattr("adapt_nlp.seq2seq.metrics.TextScores.kept", lambda *_: None)
    adapt_core.run({**pairs("summarization"), "OVERWRITE_OUTPUT_DIR": True})
    assert {moment: evidence(tmp_path, moment) for moment in ("before", "after")} == written
    calls: list[Any] = []
    monkeypatch.undo()
    monkeypatch.setattr("adapt_nlp.seq2seq.predict.generate_texts", lambda *given: calls.append(given))
    adapt_core.run({**pairs("summarization"), "OVERWRITE_OUTPUT_DIR": True})
    assert not calls


@pytest.fixture
def chat(keys: Keys, tmp_path: Path, tiny_llama: Path) -> Keys:
    """The config of text_generation on instructions, a few steps."""
    rows = [{"instruction": f"what comes after {a}", "output": b} for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    data = write(tmp_path / "instructions", train=rows * 2, validation=rows)
    task = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "CUSTOM_DATASET_PATH": str(data)}
    return {**keys, **task, "max_seq_length": 64, "MAX_STEPS": 4}


def evidence(tmp_path: Path, moment: str) -> Any:
    return json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))[moment]["samples"]


@pytest.mark.parametrize("task", ["translation", "summarization"])
def test_generated_texts_stand_beside_source_and_target(pairs: Callable[..., Keys], tmp_path: Path, task: str) -> None:
    adapt_core.run(pairs(task))
    before, after = evidence(tmp_path, "before"), evidence(tmp_path, "after")
    assert len(before) == len(after) == 6
    assert [(s["input"], s["expected"]) for s in before] == [(s["input"], s["expected"]) for s in after]
    assert all(len(s["expected"].split()) <= len(s["input"].split()) for s in after)
    assert all(isinstance(s["predicted"], str) for s in after)


def test_an_answer_stands_beside_its_prompt(chat: Keys, tmp_path: Path) -> None:
    adapt_core.run(chat)
    samples = evidence(tmp_path, "after")
    assert samples[0]["input"].endswith("### Assistant:\n")
    assert samples[0]["expected"] == "b"
    assert {"before", "after"} <= json.loads((tmp_path / "run" / "evaluation.json").read_text()).keys()


def test_a_plain_text_is_shown_cut_in_two(keys: Keys, tmp_path: Path, tiny_llama: Path, inbox: Path) -> None:
    plain = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "CUSTOM_DATASET_PATH": str(inbox)}
    adapt_core.run({**keys, **plain, "max_seq_length": 64, "MAX_STEPS": 2})
    texts = [json.loads(line)["text"] for line in (inbox / "validation.jsonl").read_text(encoding="utf-8").splitlines()]
    samples = evidence(tmp_path, "before")
    assert len(samples) == 3
    assert all(sample["input"] + sample["expected"] in texts for sample in samples)


@pytest.mark.parametrize("family", ["tiny_llama", "tiny_gpt2"])
def test_prompts_are_gone_on_from_together_as_alone(keys: Keys, family: str, request: pytest.FixtureRequest) -> None:
    """Three prompts of other lengths, padded on their left, in one pass for each token."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from adapt_nlp.text_generation.marked_text import MarkedText
    from adapt_nlp.text_generation.predict import generate_texts

    folder = request.getfixturevalue(family)
    plan = api.check({**keys, "TASK": "text_generation", "MODEL_PATH": str(folder), "temperature": 0})
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    texts = {"one": "Can I", "two": "The reading room is open until nine", "three": "Please keep the book"}
    prompts = {name: MarkedText(text) for name, text in texts.items()}
    together = generate_texts(model, tokenizer, prompts, plan.task.params, is_chat=False, max_new_tokens=12)
    assert together == [
        generate_texts(model, tokenizer, {name: text}, plan.task.params, is_chat=False, max_new_tokens=12)[0]
        for name, text in prompts.items()
    ]
    assert any(together)


def test_samples_of_packs_change_nothing_of_the_training(
    chat: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_samples = adapt_core.run(chat)
    monkeypatch.setattr("adapt_core.report.evaluation_record.SAMPLES", 1)
    without = adapt_core.run({**chat, "OUTPUT_DIR": str(tmp_path / "without")})
    assert with_samples.metrics == without.metrics


@pytest.mark.parametrize("packing", [True, False])
def test_check_counts_the_steps_of_packs(chat: Keys, packing: bool) -> None:
    config = {**chat, "MAX_STEPS": None, "EPOCHS": 2, "BATCH_SIZE": 2, "packing": packing}
    found = api.estimate(api.check(config))
    assert found.steps == adapt_core.run(config).steps
    assert found.memory is not None
    assert found.memory.activations


def test_check_shows_what_is_learned(chat: Keys) -> None:
    first = api.estimate(api.check(chat)).examples[0]
    learned = "".join(token for token, label in first if label == "learned")
    assert "b" in learned
    assert "what" not in learned


def test_check_shows_the_target_behind_the_input(pairs: Callable[..., Keys]) -> None:
    found = api.estimate(api.check(pairs("translation")))
    assert found.examples[0][-1][0] == ""
    assert found.examples[0][-1][1]
    assert found.memory is not None
    assert found.memory.activations
