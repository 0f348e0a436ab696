"""The exporter vllm, adapters' cards, and adapters loaded by peft's Auto classes as they lie."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

import adapt_core
from adapt_core.errors import InputError
from adapt_core.execution.runtime_check import START
from adapt_core.testing import ExporterContract
from adapt_core.testing.cards import python_of
from adapt_core.testing.small_models import llama

TEXTS = ["red and white", "green and blue", "black and yellow"]
ALONE = """
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer
model = AutoPeftModelForCausalLM.from_pretrained(".").eval()
inputs = AutoTokenizer.from_pretrained(".")("red and", return_tensors="pt", return_token_type_ids=False)
with torch.no_grad():
    print(model(**inputs).logits[0, -1, :4].tolist())
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A config of text_generation with LoRA, without OUTPUT_DIR."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "data").mkdir()
    for split in ("train", "validation"):
        rows = [json.dumps({"text": text}) for text in TEXTS * 4]
        (folder / "data" / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return {
        "TASK": "text_generation",
        "method": "LoRA",
        "MODEL_PATH": str(llama(folder / "model", TEXTS)),
        "CUSTOM_DATASET_PATH": str(folder / "data"),
        "MAX_STEPS": 4,
        "BATCH_SIZE": 4,
        "LR": 0.05,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
        "VERDICT": "none",
    }


@pytest.fixture(scope="module")
def finished_run(keys: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose layers differ in rank and scale."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    patterns = {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 32}, "r": 6}
    adapt_core.run({**keys, **patterns, "OUTPUT_DIR": str(folder)})
    return folder


class TestVllm(ExporterContract):
    name = "vllm"

    def test_it_has_one_rank_and_one_scale(self, written: Any) -> None:
        config = json.loads((written.folder / "adapter_config.json").read_text())
        assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (6, 6, False)
        assert not config["rank_pattern"]
        assert not config["alpha_pattern"]
        card = (written.folder / "README.md").read_text(encoding="utf-8")
        assert "--enable-lora --lora-modules adapted=. --max-lora-rank 8" in card


def test_other_methods_are_told_before_training(keys: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the method SSF makes no LoRA\. Export lora"):
        adapt_core.run({**keys, "method": "SSF", "EXPORT": "vllm", "OUTPUT_DIR": str(tmp_path / "run")})


def test_what_servers_do_not_take_is_refused_with_the_reason(keys: dict[str, Any], tmp_path: Path) -> None:
    adapt_core.run({**keys, "modules_to_save": ["norm"], "OUTPUT_DIR": str(tmp_path / "run")})
    with pytest.raises(InputError, match="whole modules"):
        adapt_core.export(tmp_path / "run", "vllm", tmp_path / "vllm")
    card = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert "do not take this adapter" in card
    assert "adapt export . --to lora" in card


def test_a_lora_of_embeddings_is_refused_with_the_reason(keys: dict[str, Any], tmp_path: Path) -> None:
    targets = {"target_modules": ["q_proj", "embed_tokens"], "OUTPUT_DIR": str(tmp_path / "run")}
    adapt_core.run({**keys, **targets, "MAX_STEPS": 1})
    with pytest.raises(InputError, match=r"it also adapts embeddings \(model\.embed_tokens\)"):
        adapt_core.export(tmp_path / "run", "vllm", tmp_path / "vllm")


def test_an_adapter_loads_as_it_lies_and_its_card_runs(keys: dict[str, Any], tmp_path: Path) -> None:
    adapt_core.run({**keys, "OUTPUT_DIR": str(tmp_path / "run"), "MERGE_ADAPTER": False})
    adapter = tmp_path / "run" / "adapter"
    card = adapter / "README.md"
    assert "--enable-lora --lora-modules adapted=. --max-lora-rank 8" in card.read_text(encoding="utf-8")
    assert "adapted=adapter" in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    (tmp_path / "alone.py").write_text(ALONE, encoding="utf-8")
    (tmp_path / "card.py").write_text(
        python_of(card) + "\nimport torch\nwith torch.no_grad():\n"
        "    print(model(**tokenizer('red and', return_tensors='pt', return_token_type_ids=False))"
        ".logits[0, -1, :4].tolist())\n",
        encoding="utf-8",
    )
    printed = []
    for program in ("alone.py", "card.py"):
        command = [sys.executable, "-c", START, "adapt_core,adapt_nlp,adapt_peft_ssf", str(tmp_path / program)]
        done = subprocess.run(command, cwd=adapter, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed.append(json.loads(done.stdout.strip().splitlines()[-1]))
    assert printed[0] == pytest.approx(printed[1], abs=1e-5)
