"""GENERATE_IN_EVALUATION in runs: what is written, scored, kept for the report, and decides what is best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.contracts import TaskData
from adapt_core.errors import InputError

from ..chat_models import CHATML, TOOLS, byte_level, llama
from adapt_nlp.text_generation.written_rows import Size, rows_to_write, tokens_of_a_pass

Keys = dict[str, Any]
WRITTEN = {"exact_match", "token_f1", "rougeL", "chrf"}
ANSWERS = {
    f"what comes after {a}?": b for a, b in zip(["dog", "film", "plot", "good", "hello", "what"], "abcdef", strict=True)
}


def rows_of(answers: dict[str, str]) -> list[Keys]:
    return [{"prompt": question, "completion": f" {answer}"} for question, answer in answers.items()]


def chats_of(answers: dict[str, str]) -> list[Keys]:
    return [
        {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
        for question, answer in answers.items()
    ]


def write(folder: Path, **splits: list[Keys]) -> Path:
    folder.mkdir()
    for split, rows in splits.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def config(tmp_path: Path, data: Path, template: str | None = None, **keys: Any) -> Keys:
    return {
        "TASK": "text_generation",
        "MODEL_PATH": str(llama(tmp_path / "model", byte_level(adds="<s> $A", template=template))),
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "BATCH_SIZE": 3,
        "EPOCHS": 3,
        "LR": 3e-3,
        "NUM_WORKERS": 0,
        "max_seq_length": 64,
        "max_new_tokens": 12,
        "SAVE_METHOD": "save_pretrained",
        **keys,
    }


def samples(folder: Path, moment: str) -> list[Keys]:
    held: dict[str, Keys] = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    found: list[Keys] = held[moment]["samples"]
    return found


def in_file(folder: Path, inputs: list[Keys]) -> list[str]:
    """What adapt predict writes for rows without their answers."""
    found = adapt_core.predict(folder, [json.dumps(row) for row in inputs])
    return [one["generated_text"] for one in found]


@pytest.mark.parametrize("packing", [True, False], ids=["packed", "padded"])
@pytest.mark.parametrize("chat", [True, False], ids=["chat", "pairs"])
def test_the_texts_are_those_of_adapt_predict(tmp_path: Path, packing: bool, chat: bool) -> None:
    rows = (chats_of if chat else rows_of)(ANSWERS)
    data = write(tmp_path / "data", train=rows * 4, validation=rows)
    keys = config(tmp_path, data, CHATML if chat else None, GENERATE_IN_EVALUATION=6, packing=packing)
    result: Any = adapt_core.run(keys)
    assert set(result.metrics["before"]) >= WRITTEN
    assert set(result.metrics["after"]) >= WRITTEN
    shown = samples(tmp_path / "run", "after")
    assert [one["expected"].strip() for one in shown] == list(ANSWERS.values())
    asked = [{"messages": row["messages"][:1]} if chat else {"prompt": row["prompt"]} for row in rows]
    written = in_file(tmp_path / "run", asked)
    assert [one["predicted"] for one in shown] == written
    right = [text.strip() == answer for text, answer in zip(written, ANSWERS.values(), strict=True)]
    assert result.metrics["after"]["exact_match"] == pytest.approx(sum(right) / 6)


def test_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    data = write(tmp_path / "data", train=rows_of(ANSWERS) * 4, validation=rows_of(ANSWERS), test=rows_of(ANSWERS))
    keys = config(tmp_path, data, temperature=1.0)
    without: Any = adapt_core.run({**keys, "GENERATE_IN_EVALUATION": 0})
    answered: Any = adapt_core.run({**keys, "GENERATE_IN_EVALUATION": 4, "OUTPUT_DIR": str(tmp_path / "again")})
    assert not set(without.metrics["after"]) & WRITTEN
    for moment in ("before", "after", "test"):
        assert without.metrics[moment].items() <= answered.metrics[moment].items()
        assert set(answered.metrics[moment]) >= WRITTEN


def test_a_stopped_run_goes_on_to_the_same_scores(tmp_path: Path) -> None:
    data = write(tmp_path / "data", train=rows_of(ANSWERS) * 4, validation=rows_of(ANSWERS))
    keys = config(tmp_path, data, GENERATE_IN_EVALUATION=6, METRIC_FOR_BEST="chrf", KEEP="best", temperature=0.7)
    whole: Any = adapt_core.run(keys)
    folder = tmp_path / "again"
    adapt_core.run({**keys, "OUTPUT_DIR": str(folder)})
    (folder / "result.json").unlink()
    newest = max((folder / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    __import__("shutil").rmtree(newest)
    resumed: Any = adapt_core.run({**keys, "OUTPUT_DIR": str(folder)}, resume=True)
    assert resumed.metrics == whole.metrics


def test_exact_match_picks_the_checkpoint_that_answers_where_the_loss_picks_another(tmp_path: Path) -> None:
    """Half of the validation rows contradict training: the surer the model, the worse their loss."""
    odd = dict.fromkeys(ANSWERS, "zzzzzzzz")
    data = write(tmp_path / "data", train=rows_of(ANSWERS) * 8, validation=rows_of(ANSWERS) + rows_of(odd))
    keys = config(tmp_path, data, GENERATE_IN_EVALUATION=12, EPOCHS=12, KEEP="best", LR=5e-3)
    by_match: Any = adapt_core.run({**keys, "METRIC_FOR_BEST": "exact_match"})
    by_loss: Any = adapt_core.run({**keys, "METRIC_FOR_BEST": "loss", "OUTPUT_DIR": str(tmp_path / "loss")})
    assert by_match.metrics["after"]["exact_match"] > max(by_loss.metrics["after"]["exact_match"], 0.3)
    assert by_loss.metrics["after"]["loss"] < by_match.metrics["after"]["loss"]


def test_calls_of_tools_and_json_are_scored_as_the_template_writes_them(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "good", "arguments": {"what": "dog"}}}
    tools = [{"type": "function", "function": {"name": "good", "parameters": {"type": "object", "properties": {}}}}]
    turns = [{"role": "user", "content": "what?"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    rows = [{"messages": turns, "tools": tools}] * 6
    data = write(tmp_path / "data", train=rows * 4, validation=rows)
    changes = {"METRICS": ["tool_call", "json_valid"], "EPOCHS": 30, "LR": 1e-2, "max_new_tokens": 48, "INTERVAL": "no"}
    result: Any = adapt_core.run(config(tmp_path, data, TOOLS, **changes, max_seq_length=192))
    after = result.metrics["after"]
    assert result.metrics["before"]["tool_call"] == 0
    assert {name: after[name] for name in ("tool_call", "tool_name", "exact_match", "json_valid")} == {
        "tool_call": 1,
        "tool_name": 1,
        "exact_match": 1,
        "json_valid": 0,
    }
    assert samples(tmp_path / "run", "after")[0]["expected"].startswith("CALL {")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"GENERATE_IN_EVALUATION": 0, "METRICS": "chrf"},
            "METRICS score written texts, and",
        ),
        ({"GENERATE_IN_EVALUATION": 0, "METRICS": "json_valid"}, "predicts nothing that metrics score"),
        ({"GENERATE_IN_EVALUATION": 0, "METRIC_FOR_BEST": "exact_match"}, "not 'exact_match'"),
        ({"METRICS": "accuracy"}, "accuracy scores class, and text_generation predicts text here"),
        ({"METRICS": "json_schema", "JSON_SCHEMA": "nowhere.json"}, "JSON_SCHEMA: nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_scored_is_an_error_before_training(tmp_path: Path, changes: Keys, told: str) -> None:
    data = write(tmp_path / "data", train=rows_of(ANSWERS), validation=rows_of(ANSWERS))
    with pytest.raises(InputError) as caught:
        adapt_core.run(config(tmp_path, data, **changes))
    assert told in str(caught.value)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


SMALL = Size(parameters=100_000, layers=2, device="cpu", together=8)
GPU = Size(parameters=8_000_000_000, layers=32, device="cuda", together=16)


def test_a_pass_costs_more_tokens_the_smaller_the_model_and_the_faster_the_device() -> None:
    assert tokens_of_a_pass(SMALL) > tokens_of_a_pass(Size(parameters=100_000_000, layers=12, device="cpu", together=8))
    assert 300 < tokens_of_a_pass(GPU) < 1000


@pytest.mark.parametrize(
    ("changes", "form", "rows"),
    [
        ({}, "messages", 64),
        ({"EPOCHS": 20}, "messages", 120),
        ({"EPOCHS": 2, "max_new_tokens": 8}, "messages", 200),
        ({}, "text", 0),
        ({"METRICS": "json_valid"}, "text", 16),
        ({"METRIC_FOR_BEST": "chrf", "MAX_STEPS": 1}, "messages", 16),
        ({"MAX_STEPS": 1}, "messages", 0),
        ({"GENERATE_IN_EVALUATION": 3}, "text", 3),
        ({"GENERATE_IN_EVALUATION": 0, "EPOCHS": 20}, "messages", 0),
    ],
)
def test_the_default_is_counted_from_tokens(tmp_path: Path, changes: Keys, form: str, rows: int) -> None:
    data = write(tmp_path / "data", train=rows_of(ANSWERS), validation=rows_of(ANSWERS))
    plan = adapt_core.check(config(tmp_path, data, **{"EPOCHS": 2, "max_new_tokens": 128, **changes}))
    held = TaskData(train=range(10_000), stats={"form": form, "train_tokens": 2_000_000})
    assert rows_to_write(plan, held, SMALL) == rows
