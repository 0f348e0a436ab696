"""Whole runs of text_generation: learning, packing, predicting, exporting, and each parameter."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.api import predict
from adapt_core.config.core_params.run import SAVE_METHODS
from adapt_core.errors import InputError

Run = Callable[..., Any]
NEXT = dict(zip("abcdef", "bcdefg", strict=True))
QUESTIONS = [{"instruction": f"what comes after {a}", "input": "", "output": b} for a, b in NEXT.items()]


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


@pytest.fixture
def generate(tiny_llama: Path, inbox: Path, tmp_path: Path) -> Run:
    """Runs text_generation on the small Llama and the inbox's texts, with changes."""
    keys = {
        "TASK": "text_generation",
        "MODEL_PATH": str(tiny_llama),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 16,
        "BATCH_SIZE": 4,
        "EPOCHS": 1,
        "LR": 1e-2,
        "NUM_WORKERS": 0,
        "max_seq_length": 128,
        "max_new_tokens": 12,
        "SAVE_METHOD": "safetensors",
        "OVERWRITE_OUTPUT_DIR": True,
    }

    def run_with(**changes: Any) -> Any:
        return adapt_core.run({**keys, **changes})

    return run_with


def test_a_run_learns_and_reports_loss_perplexity_and_token_accuracy(generate: Run) -> None:
    result = generate(EPOCHS=3)
    before, after = result.metrics["before"], result.metrics["after"]
    assert set(after) == {"loss", "perplexity", "token_accuracy"}
    assert after["loss"] < before["loss"] - 1
    assert after["token_accuracy"] > before["token_accuracy"]
    assert after["perplexity"] == pytest.approx(2.718281828 ** after["loss"], rel=1e-5)


def test_packing_gives_fewer_rows_and_the_same_evaluation(generate: Run) -> None:
    packed, padded = generate(), generate(packing=False)
    assert packed.metrics["before"] == pytest.approx(padded.metrics["before"], rel=1e-6)
    assert packed.data["packed"] is True
    assert packed.data["train_packs"] < packed.data["train_documents"] == padded.data["train_documents"]
    assert packed.steps < padded.steps


def test_a_model_that_would_mix_documents_trains_on_padded_batches(
    generate: Run, tiny_llama: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer, BloomConfig, BloomForCausalLM

    folder = tmp_path / "bloom"
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    tokenizer.save_pretrained(folder)
    BloomForCausalLM(BloomConfig(vocab_size=len(tokenizer), hidden_size=32, n_layer=2, n_head=2)).save_pretrained(
        folder
    )
    result = generate(MODEL_PATH=str(folder))
    assert result.data["packed"] is False
    assert "packing is not used: BloomForCausalLM takes no position_ids" in (tmp_path / "run" / "log.txt").read_text()
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"]


def test_group_by_length_orders_padded_batches_and_leaves_packs_random(generate: Run, tmp_path: Path) -> None:
    def losses(**keys: Any) -> list[float]:
        generate(LOGGING_STEPS=1, DO_EVAL=False, INTERVAL="no", MAX_STEPS=4, **keys)
        lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        return [line["loss"] for line in map(json.loads, lines) if line["phase"] == "train"]

    assert losses(packing=False) != losses(packing=False, GROUP_BY_LENGTH=False)
    assert losses() == losses(GROUP_BY_LENGTH=False)


def test_flash_attention2_is_left_out_with_its_reason_where_it_cannot_be(
    generate: Run, tmp_path: Path, no_flash: str
) -> None:
    generate(flash_attention2=True, MAX_STEPS=1)
    assert no_flash in (tmp_path / "run" / "log.txt").read_text()


def test_flash_attention2_asks_the_model_too(caplog: pytest.LogCaptureFixture) -> None:
    from types import SimpleNamespace

    from transformers import AutoModelForCausalLM, BloomConfig, LlamaConfig

    from adapt_core.distributed.world import World
    from adapt_core.hf.models.attention import attention_options, class_of

    plan: Any = SimpleNamespace(task=SimpleNamespace(params=SimpleNamespace(flash_attention2=True)))
    with caplog.at_level(logging.WARNING):
        bloom = attention_options(plan, World(device="cuda:0"), lambda: class_of(AutoModelForCausalLM, BloomConfig()))
    assert bloom == {}
    assert "BloomForCausalLM does not support it" in caplog.text
    assert class_of(AutoModelForCausalLM, LlamaConfig())._supports_flash_attn


# --- predicting --------------------------------------------------------------------------------------------------


def test_instructions_are_learned_by_heart_and_the_answer_stops(generate: Run, tmp_path: Path) -> None:
    data = write(tmp_path / "data", QUESTIONS)
    result = generate(CUSTOM_DATASET_PATH=str(data), EPOCHS=60, INTERVAL="no", packing=False, BATCH_SIZE=6)
    assert result.metrics["after"]["token_accuracy"] > 0.9
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(QUESTIONS[2]) + "\n")
    turns = json.dumps({"messages": [{"role": "user", "content": "what comes after e"}]})
    found = predict(result.output_dir, ["what comes after a", str(rows), turns])
    assert [answer["generated_text"] for answer in found] == ["b", "d", "f"]
    assert found[0]["prompt"] == "what comes after a"
    for argument, fault in (
        ('{"messages": []}', "input 1: column 'messages' has no turns"),
        ('{"question": "x"}', "input 1 has no 'prompt' or 'text', 'instruction' or 'messages'; it has: question"),
        (" ", "input 1 is empty"),
    ):
        with pytest.raises(InputError, match=fault):
            predict(result.output_dir, [argument])


def changed(result: Any, **keys: Any) -> None:
    """Other values in the stored config of a finished run."""
    path = Path(result.output_dir) / "config.yaml"
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(next((f"{k}: {keys[k]}" for k in keys if line.startswith(f"{k}:")), line) for line in lines)
    )


def test_max_new_tokens_temperature_and_top_p_shape_what_is_written(generate: Run) -> None:
    result = generate(MAX_STEPS=1, DO_EVAL=False)

    def written(**keys: Any) -> str:
        changed(result, **keys)
        text: str = predict(result.output_dir, ["please send"])[0]["generated_text"]
        return text

    greedy = written(max_new_tokens=12)
    assert greedy == written(max_new_tokens=12)
    short = written(max_new_tokens=3)
    assert greedy.startswith(short)
    assert len(short) < len(greedy)
    hot = written(max_new_tokens=12, temperature=5.0)
    assert hot != greedy
    assert written(temperature=5.0, top_p=0.0001) == greedy


LOAD = """
import sys
source, prompt = sys.argv[1:]
code = open(source).read().split("```python\\n")[1].split("```")[0]
exec(code.replace("Once upon a time", prompt))
print(repr(text), [m for m in sys.modules if m.startswith("adapt")])
"""


@pytest.mark.parametrize("save_method", SAVE_METHODS)
def test_the_card_s_lines_write_the_same_without_adapt(
    generate: Run, python: Callable[..., Any], save_method: str
) -> None:
    result = generate(SAVE_METHOD=save_method, MAX_STEPS=3, DO_EVAL=False, INTERVAL="no")
    (ours,) = predict(result.output_dir, ["please send"], trust=True)
    done = python(LOAD, "README.md", "please send", folder=Path(result.output_dir))
    assert done.stdout.splitlines()[-1:] == [f"{ours['generated_text']!r} []"], done.stderr


# --- with other parts --------------------------------------------------------------------------------------------


def test_last_layer_unties_the_head_that_is_the_embedding(generate: Run) -> None:
    result = generate(method="last_layer", SAVE_METHOD="save_pretrained")
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"]
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(f"{result.output_dir}/model")
    assert not model.get_input_embeddings().weight.equal(model.get_output_embeddings().weight)


@pytest.mark.parametrize("more", [{}, {"load_in_4bit": True}], ids=["float", "4 bit"])
def test_lora_trains_on_packs_and_the_head_stays(generate: Run, more: dict[str, Any]) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    result = generate(method="LoRA", EPOCHS=2, **more)
    assert result.data["packed"] is True
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"]
    assert result.training_check["frozen_changed"] == 0
    assert len(predict(result.output_dir, ["please send"])) == 1


def test_the_legacy_file_runs(shared: Path, tiny_llama: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    small = {
        "MODEL_PATH": str(tiny_llama),
        "CUSTOM_DATASET_PATH": str(shared / "data" / "tinyshakespeare"),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "LOGGING_PATH": str(tmp_path / "log"),
        "MAX_TRAIN_SAMPLES": 32,
        "NUM_WORKERS": 0,
        "FP16": False,
    }
    result = adapt_core.run(
        shared / "legacy_configs" / "text_generation.yml", overrides=[f"{key}={value}" for key, value in small.items()]
    )
    assert result.status == "finished"
    assert result.data["packed"] is True
    assert result.steps == -(-result.data["train_packs"] // 4)


def test_texts_of_the_report_are_no_longer_than_predictions(generate: Run, tmp_path: Path) -> None:
    def words(most: int) -> list[int]:
        generate(MAX_STEPS=1, max_new_tokens=most)
        samples = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))["after"]["samples"]
        return [len(sample["predicted"].split()) for sample in samples]

    assert max(words(2)) <= 2 < max(words(64))
