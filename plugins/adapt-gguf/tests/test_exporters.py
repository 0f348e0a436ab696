"""The exporters on finished runs of a small Llama: written, read again in a fresh process, told in the record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("torch")
pytest.importorskip("datasets")
gguf = pytest.importorskip("gguf")
pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")

import adapt_core  # noqa: E402
from adapt_core.errors import InputError  # noqa: E402
from adapt_core.testing import ExporterContract  # noqa: E402
from adapt_core.testing.cards import python_of  # noqa: E402
from adapt_core.testing.small_models import llama_for  # noqa: E402

from .conftest import TEXTS, tokenizer_of  # noqa: E402
from adapt_gguf.files import metadata_of, open_gguf  # noqa: E402
from adapt_gguf.models import write_model  # noqa: E402

Keys = dict[str, Any]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A config of text_generation with LoRA on a small Llama, without OUTPUT_DIR."""
    folder = tmp_path_factory.mktemp("base")
    data = folder / "data"
    data.mkdir()
    for split in ("train", "validation"):
        rows = [json.dumps({"text": text}) for text in TEXTS * 6]
        (data / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    sizes = {"bos_token_id": 0, "eos_token_id": 0, "hidden_size": 64, "intermediate_size": 96}
    model = llama_for(folder / "model", tokenizer_of(), **sizes)
    return {
        "TASK": "text_generation",
        "method": "LoRA",
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(data),
        "EPOCHS": 2,
        "BATCH_SIZE": 4,
        "LR": 0.05,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "safetensors",
        "VERDICT": "none",
    }


@pytest.fixture(scope="module")
def finished_run(small_run: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    adapt_core.run({**small_run, "OUTPUT_DIR": str(folder)})
    return folder


@pytest.fixture(scope="module")
def from_gguf(small_run: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose base is a GGUF file of 4 bits."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("from_gguf")
    model = AutoModelForCausalLM.from_pretrained(small_run["MODEL_PATH"])
    write_model(model, AutoTokenizer.from_pretrained(small_run["MODEL_PATH"]), folder / "base.gguf", "Q4_1")
    with pytest.MonkeyPatch.context() as patch:
        from huggingface_hub import constants

        patch.setattr(constants, "HF_HOME", str(folder / "cache"))
        adapt_core.run(
            {
                **small_run,
                "MODEL_PATH": str(folder / "base.gguf"),
                "OUTPUT_DIR": str(folder / "run"),
                "EXPORT": ["gguf", "gguf_adapter"],
            }
        )
    return folder


class TestGguf(ExporterContract):
    name = "gguf"


class TestGgufInEightBits(ExporterContract):
    name = "gguf"
    settings: ClassVar = ["gguf_type=Q8_0"]


class TestGgufAdapter(ExporterContract):
    name = "gguf_adapter"


def test_a_run_writes_both_in_the_form_of_its_base(from_gguf: Path) -> None:
    result = json.loads((from_gguf / "run" / "result.json").read_text())
    for name in ("gguf", "gguf_adapter"):
        assert result["exports"][name]["failed"] is None
        asked = result["exports"][name]["checks"][0]
        assert asked["inputs"] == "validation"
        assert asked["same_argmax"] > 0.95
    written = open_gguf(from_gguf / "run" / "exports" / "gguf" / "model.gguf")
    base = open_gguf(from_gguf / "base.gguf")
    theirs = {one.name: one for one in base.tensors}
    kinds = {one.name: one.tensor_type.name for one in written.tensors}
    trained = [name for name in kinds if kinds[name] != theirs[name].tensor_type.name]
    assert trained
    assert {kinds[name] for name in trained} == {"Q8_0"}
    changed = {name for name, field in metadata_of(written).items() if metadata_of(base)[name] != field}
    assert changed <= {"general.file_type"}


def test_the_encodings_of_the_base_by_choice(from_gguf: Path, tmp_path: Path) -> None:
    adapt_core.export(from_gguf / "run", "gguf", tmp_path / "out", settings=["gguf_type=base"])
    base = open_gguf(from_gguf / "base.gguf")
    written = open_gguf(tmp_path / "out" / "model.gguf")
    assert [one.tensor_type for one in written.tensors] == [one.tensor_type for one in base.tensors]


def test_the_encoding_of_a_base_needs_such_a_base(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gguf_type: base is for a MODEL_PATH that is a GGUF file"):
        adapt_core.export(finished_run, "gguf", tmp_path / "out", settings=["gguf_type=base"])


def test_what_cannot_be_exported_is_told_before_training(small_run: Keys, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the method DoRA makes no LoRA"):
        adapt_core.run({**small_run, "method": "DoRA", "EXPORT": "gguf_adapter", "OUTPUT_DIR": str(tmp_path / "run")})
    other = tmp_path / "model"
    other.mkdir()
    for file in Path(small_run["MODEL_PATH"]).iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "dynamic", "factor": 8.0, "rope_theta": 500000.0}
    (other / "config.json").write_text(json.dumps(config))
    keys = {**small_run, "MODEL_PATH": str(other), "EXPORT": "gguf", "OUTPUT_DIR": str(tmp_path / "run")}
    with pytest.raises(InputError, match=r"scales its rotary positions \(dynamic\)"):
        adapt_core.run(keys)
    (other / "config.json").write_text(json.dumps({**config, "model_type": "opt"}))
    with pytest.raises(InputError, match="'opt' cannot be written"):
        adapt_core.run(keys)
    assert not (tmp_path / "run" / "result.json").exists()


class TestGgufOfScaledPositions(ExporterContract):
    """A Llama 3: its card sets what transformers does not read, and writes what predictions are."""

    name = "gguf"

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, small_run: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("scaled")
        rope = {
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        }
        sizes = {"bos_token_id": 0, "eos_token_id": 0, "hidden_size": 64, "intermediate_size": 96}
        model = llama_for(folder / "model", tokenizer_of(), rope_parameters=rope, **sizes)
        keys = {**small_run, "MODEL_PATH": str(model), "temperature": 0, "max_new_tokens": 12}
        adapt_core.run({**keys, "OUTPUT_DIR": str(folder / "run")})
        return folder / "run"

    def test_its_card_writes_what_predictions_are(self, written: Any, finished_run: Path) -> None:
        lines = python_of(written.folder / "README.md")
        assert "config.rope_parameters" in lines
        done = subprocess.run(
            [sys.executable, "-c", lines], cwd=written.folder, capture_output=True, text=True, check=True
        )
        [ours] = adapt_core.predict(finished_run, ["Once upon a time"])
        assert done.stdout.strip() == ours["generated_text"].strip()
