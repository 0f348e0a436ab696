"""Language models and encoder-decoders as ONNX files, with their caches."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import adapt_core
from adapt_core.testing import small_models

from .contract import Make, OnnxContract
from adapt_onnx.companions import Facts
from adapt_onnx.writing import how_it_writes


def printed_by(written: Any, python: Callable[..., Any]) -> str:
    """Return what the lines of an export print."""
    lines = (written.folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = python(f"import sys\nsys.modules['torch'] = None\n{lines}", folder=written.folder)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


class TestDecoder(OnnxContract):
    files: ClassVar[Sequence[str]] = ("model.onnx", "cache.json", "tokenizer.json")

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(
        cls, make: Make, inbox: Path, inbox_texts: list[str], tmp_path_factory: pytest.TempPathFactory
    ) -> Path:
        model = small_models.llama(tmp_path_factory.mktemp("llama"), inbox_texts)
        base = {"TASK": "text_generation", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(inbox)}
        return make(
            **base,
            method="LoRA",
            r=4,
            max_seq_length=64,
            dataset_text_field="text",
            packing=False,
            max_new_tokens=12,
            temperature=0.0,
        )

    def test_the_lines_write_what_predictions_are(
        self, written: Any, finished_run: Path, python: Callable[..., Any]
    ) -> None:
        (ours,) = adapt_core.predict(finished_run, ["Once upon a time"])
        assert ours["generated_text"]
        assert printed_by(written, python).strip() == ours["generated_text"].strip()


@pytest.mark.parametrize("packing", [True, False])
def test_a_run_on_a_4_bit_base_is_exported_dequantized(
    tmp_path: Path, inbox: Path, inbox_texts: list[str], packing: bool
) -> None:
    pytest.importorskip("bitsandbytes")
    model = small_models.llama(tmp_path / "llama", inbox_texts, hidden_size=64, intermediate_size=128)
    base = {"TASK": "text_generation", "MODEL_PATH": str(model), "CUSTOM_DATASET_PATH": str(inbox)}
    small = {"EPOCHS": 1, "NUM_WORKERS": 0, "MAX_TRAIN_SAMPLES": 16, "MAX_EVAL_SAMPLES": 16, "VERDICT": "none"}
    result = adapt_core.run(
        {
            **{**base, **small, "method": "LoRA", "r": 4, "load_in_4bit": True, "EXPORT": "onnx", "packing": packing},
            **{"max_seq_length": 64, "dataset_text_field": "text", "OUTPUT_DIR": str(tmp_path / "run")},
        }
    )
    assert "model" not in result.artifacts  # the run saved the adapter alone
    record = result.exports["onnx"]
    assert record["failed"] is None
    (asked,) = record["checks"]
    assert asked["inputs"] == "validation"
    assert asked["relative_tolerance"] == 1e-3
    assert asked["relative_difference"] < 1e-3
    assert asked["same_argmax"] == 1.0


class TestSeq2seq(OnnxContract):
    files: ClassVar[Sequence[str]] = ("encoder.onnx", "decoder.onnx", "cache.json", "tokenizer.json")

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
        texts = ["a long text of several words", "some other words in a text"]
        model = small_models.t5(tmp_path_factory.mktemp("t5"), texts * 10, decoder_start_token_id=0)
        data = tmp_path_factory.mktemp("pairs")
        rows = [{"article": text, "summary": text.split()[0]} for text in texts * 4]
        for split in ("train", "validation"):
            (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        columns = {
            "input_column": "article",
            "target_column": "summary",
            "predict_with_generate": False,
            "num_beams": 1,
        }
        return make(TASK="summarization", MODEL_PATH=str(model), CUSTOM_DATASET_PATH=str(data), **columns)

    def test_the_lines_write_what_predictions_are(
        self, written: Any, finished_run: Path, python: Callable[..., Any]
    ) -> None:
        (ours,) = adapt_core.predict(finished_run, ["A text."])
        assert printed_by(written, python).strip() == ours["summary"]


TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def with_template(folder: Path, texts: list[str]) -> Path:
    """Return a small Llama whose tokenizer has a chat template."""
    from transformers import AutoTokenizer

    model = small_models.llama(folder, texts)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(model)
    return model


@pytest.mark.parametrize("trained_on", ["texts", "conversations", "conversations, no template"])
def test_the_prompt_of_the_lines_is_as_the_run_was_trained(
    trained_on: str, make: Make, inbox: Path, inbox_texts: list[str], tmp_path: Path, python: Callable[..., Any]
) -> None:
    """Whatever template the base has; the words are those that predictions take, drawn from the likeliest alone."""
    if trained_on == "texts":
        data = {"CUSTOM_DATASET_PATH": str(inbox), "dataset_text_field": "text"}
    else:
        pairs = [{"role": "user", "content": "Name three rivers."}, {"role": "assistant", "content": inbox_texts[0]}]
        for split in ("train", "validation"):
            (tmp_path / f"{split}.jsonl").write_text(f"{json.dumps({'messages': pairs})}\n" * 8, encoding="utf-8")
        data = {"CUSTOM_DATASET_PATH": str(tmp_path)}
    base = small_models.llama if trained_on.endswith("no template") else with_template
    run = make(
        TASK="text_generation",
        method="LoRA",
        MODEL_PATH=str(base(tmp_path / "llama", inbox_texts)),
        **{**data, "max_seq_length": 64, "max_new_tokens": 8, "temperature": 0.9, "top_p": 1e-6},
    )
    adapt_core.export(run, "onnx", tmp_path / "out")
    turn = {"messages": [{"role": "user", "content": "Name three rivers."}]}
    (ours,) = adapt_core.predict(run, ["Once upon a time" if trained_on == "texts" else turn])
    assert ours["generated_text"].strip()
    written = SimpleNamespace(folder=tmp_path / "out")
    assert "The lines draw each word" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert printed_by(written, python).strip() == ours["generated_text"].strip()


def test_what_else_chooses_words_is_named() -> None:
    generation = {"num_beams": 4, "repetition_penalty": 1.0}
    facts = Facts(config={}, tokenizer={}, generation=generation, labels={}, has_tokenizer=True)
    said = how_it_writes(facts, SimpleNamespace())
    assert said == "The lines take the likeliest word; `generate` of transformers also follows `num_beams=4`.\n\n"
