"""A run that kept an adapter alone predicts and is exported from its folder and the base: its data may be gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError

from .seq2seq_models import english, translations, write

pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")

SMALL = {"MAX_STEPS": 3, "BATCH_SIZE": 4, "LR": 0.01, "NUM_WORKERS": 0, "DO_EVAL": False, "SAVE_METHOD": "safetensors"}
SHORT = {"max_input_length": 32, "max_target_length": 8, "generation_max_length": 8}
ANSWERED = {"context": "Ada lived in London.", "answers": {"text": ["London"], "answer_start": [13]}}
TURNS = [{"role": "user", "content": "ping"}, {"role": "assistant", "content": "pong"}]
ROWS: dict[str, list[dict[str, Any]]] = {
    "text_classification": [{"text": f"{word} today", "label": word} for word in ("red", "green", "blue")] * 4,
    "ner": [{"tokens": ["call", name], "ner_tags": ["O", "B-PER"]} for name in "abcdefghijkl"],
    "question_answering": [{**ANSWERED, "question": f"Where did {name} live?"} for name in ("Ada", "she")] * 6,
    "summarization": [{"document": english(n), "summary": " ".join(english(n).split()[:2])} for n in range(12)],
    "translation": translations(12),
    "text_generation": [{"text": f"{word} and white"} for word in ("red", "green", "blue")] * 4,
    "chat": [{"messages": TURNS}] * 12,
}
TASKS: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "text_classification": ("tiny_encoder", {}, "green today"),
    "ner": ("tiny_encoder", {"TASK": "text_classification", "subtask": "ner"}, "call a"),
    "question_answering": (
        "tiny_encoder",
        {"max_length": 64, "doc_stride": 16},
        json.dumps({"context": "Ada lived in London.", "question": "Where did Ada live?"}),
    ),
    "summarization": ("tiny_bart", SHORT, english(3)),
    "translation": ("tiny_t5", SHORT, english(3)),
    "text_generation": ("tiny_llama", {"max_seq_length": 64, "max_new_tokens": 8}, "red and"),
    "chat": ("tiny_llama", {"TASK": "text_generation", "max_seq_length": 64, "max_new_tokens": 8}, "ping"),
}

Run = Callable[..., Path]


@pytest.fixture
def adapter(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """Trains a task's adapter, moves the data away and returns the run folder."""

    def train(name: str, **changes: Any) -> Path:
        model, keys, _ = TASKS[name]
        data = write(tmp_path / "data", train=ROWS[name])
        base = {"TASK": name, "MODEL_PATH": str(request.getfixturevalue(model)), "CUSTOM_DATASET_PATH": str(data)}
        folder = {"OUTPUT_DIR": str(tmp_path / "run"), "MERGE_ADAPTER": False}
        adapt_core.run({**SMALL, **base, "method": "LoRA", **folder, **keys, **changes})
        shutil.move(data, tmp_path / "moved")
        assert not (tmp_path / "run" / "model").exists()
        return tmp_path / "run"

    return train


def assert_used(run: Path, given: str) -> None:
    """Assert that a run predicts and is exported, and that both are the same model."""
    from adapt_core.execution.export import export_finished

    found = adapt_core.predict(run, [given])
    exported = export_finished(run, "safetensors", run.parent / "exported", trust=False)
    assert exported.merge is not None, "the merge was not checked"
    assert exported.merge["inputs"] == "random"
    shutil.move(exported.folder, run / "model")
    assert adapt_core.predict(run, [given]) == found


@pytest.mark.parametrize("name", TASKS)
def test_an_adapter_is_used_without_the_data_of_its_run(name: str, adapter: Run) -> None:
    assert_used(adapter(name), TASKS[name][2])


@pytest.mark.parametrize(
    ("method", "switch"),
    [
        ("LoRA", "load_in_4bit"),
        ("SSF", "load_in_8bit"),
        pytest.param("LoRA", "load_in_8bit", marks=pytest.mark.slow),
        pytest.param("SSF", "load_in_4bit", marks=pytest.mark.slow),
        pytest.param("DoRA", "load_in_4bit", marks=pytest.mark.slow),
        pytest.param("DoRA", "load_in_8bit", marks=pytest.mark.slow),
    ],
)
def test_so_is_one_of_any_method_on_a_quantized_base(method: str, switch: str, adapter: Run) -> None:
    assert_used(adapter("text_classification", method=method, **{switch: True}), "green today")


@pytest.mark.slow
@pytest.mark.parametrize("switch", ["load_in_4bit", "load_in_8bit"])
@pytest.mark.parametrize("name", [name for name in TASKS if name != "text_classification"])
def test_so_is_one_of_any_task_on_a_quantized_base(name: str, switch: str, adapter: Run) -> None:
    assert_used(adapter(name, **{switch: True}), TASKS[name][2])


def test_it_predicts_what_the_merged_model_of_the_same_run_does(
    adapter: Run, tmp_path: Path, tiny_encoder: Path
) -> None:
    run = adapter("text_classification")
    words = ["red", "green", "blue"]
    assert json.loads((run / "adapter" / "data.json").read_text(encoding="utf-8"))["labels"] == sorted(words)
    keys = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "OUTPUT_DIR": str(tmp_path / "merged")}
    adapt_core.run({**SMALL, **keys, "method": "LoRA", "CUSTOM_DATASET_PATH": str(tmp_path / "moved")})
    texts = [f"{word} today" for word in words]
    for found, expected in zip(
        *(adapt_core.predict(folder, texts) for folder in (run, tmp_path / "merged")), strict=True
    ):
        assert found["label"] == expected["label"]
        assert found["score"] == pytest.approx(expected["score"], abs=1e-5)


@pytest.mark.parametrize("content", ["", "[]", '{"labels": [1, 2], "facts": {}}', '{"labels": ["a", "b"]}'])
def test_a_damaged_record_is_named(content: str, adapter: Run) -> None:
    run = adapter("text_classification")
    (run / "adapter" / "data.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"adapter/data\.json cannot be read \(.*Restore it, or run the config again"):
        adapt_core.predict(run, ["green today"])
