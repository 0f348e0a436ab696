"""The tokens of ADD_TOKENS in GGUF files: a number each, with their trained embeddings, whatever the base is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("torch")
pytest.importorskip("datasets")
pytest.importorskip("gguf")
pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing import ExporterContract
from adapt_core.testing.cards import python_of
from adapt_core.testing.small_models import llama_for

from .conftest import TEXTS, tokenizer_of
from adapt_gguf.models import write_model
from adapt_gguf.vocabulary import USER_DEFINED

NEW = ["<crate>", "harbourmaster"]
PROMPT = "The harbourmaster counted <crate>"

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Trains a small Llama with LoRA and NEW, with changes, and returns the run's folder."""
    home = tmp_path_factory.mktemp("base")
    (home / "data").mkdir()
    for split in ("train", "validation"):
        rows = [json.dumps({"text": f"{NEW[1]}: {text} {NEW[0]} {NEW[0]}"}) for text in TEXTS * 6]
        (home / "data" / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    sizes = {"bos_token_id": 0, "eos_token_id": 0, "hidden_size": 64, "intermediate_size": 96}
    model = llama_for(home / "model", tokenizer_of(), **sizes)

    def train(**changes: Any) -> Path:
        folder = tmp_path_factory.mktemp("trained") / "run"
        keys = {
            "TASK": "text_generation",
            "method": "LoRA",
            "MODEL_PATH": str(model),
            "CUSTOM_DATASET_PATH": str(home / "data"),
            "EPOCHS": 2,
            "BATCH_SIZE": 4,
            "LR": 0.05,
            "NUM_WORKERS": 0,
            "VERDICT": "none",
            "ADD_TOKENS": NEW,
            "temperature": 0,
            "max_new_tokens": 12,
            "OUTPUT_DIR": str(folder),
        }
        adapt_core.run({**keys, **changes})
        return folder

    return train


class OfNewTokens(ExporterContract):
    """What holds of each file, beside that it computes what the run's model does."""

    name = "gguf"
    changes: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, trained: Make) -> Path:
        return trained(**cls.changes)

    def test_its_vocabulary_is_the_run_s(self, written: Any, finished_run: Path) -> None:
        from gguf import GGUFReader
        from transformers import AutoTokenizer

        kept = finished_run / ("model" if (finished_run / "model").is_dir() else "adapter")
        ours = AutoTokenizer.from_pretrained(kept)
        reader = GGUFReader(written.folder / "model.gguf")
        texts, kinds = (reader.get_field(f"tokenizer.ggml.{name}").contents() for name in ("tokens", "token_type"))
        for token in NEW:
            number = ours.convert_tokens_to_ids(token)
            assert ours(token, add_special_tokens=False)["input_ids"] == [number]
            assert (texts[number], kinds[number]) == (token, USER_DEFINED)
        assert len(texts) == len(kinds)
        theirs = AutoTokenizer.from_pretrained(written.folder, gguf_file="model.gguf")
        assert theirs(PROMPT)["input_ids"] == ours(PROMPT)["input_ids"]

    def test_its_lines_write_what_predictions_are(self, written: Any, finished_run: Path) -> None:
        lines = python_of(written.folder / "README.md").replace("Once upon a time", PROMPT)
        assert PROMPT in lines
        done = subprocess.run(
            [sys.executable, "-c", lines], cwd=written.folder, capture_output=True, text=True, check=True
        )
        [ours] = adapt_core.predict(finished_run, [PROMPT])
        assert any(token in ours["generated_text"] for token in NEW), "the run did not learn to write them"
        assert done.stdout.strip() == ours["generated_text"].strip()


@pytest.mark.slow
class TestMerged(OfNewTokens):
    changes: ClassVar = {"SAVE_METHOD": "save_pretrained"}


class TestNotMerged(OfNewTokens):
    changes: ClassVar = {"MERGE_ADAPTER": False}


class TestOnAGgufFile(OfNewTokens):
    """Its own metadata are kept, and its vocabulary grows."""

    @pytest.fixture(scope="class")
    @classmethod
    def finished_run(cls, trained: Make, tmp_path_factory: pytest.TempPathFactory) -> Any:
        from transformers import AutoModelForCausalLM

        home = tmp_path_factory.mktemp("gguf")
        sizes = {"bos_token_id": 0, "eos_token_id": 0, "hidden_size": 64, "intermediate_size": 96}
        model = llama_for(home / "model", tokenizer_of(), **sizes)
        write_model(AutoModelForCausalLM.from_pretrained(model), tokenizer_of(), home / "base.gguf", "F32")
        with pytest.MonkeyPatch.context() as patch:
            from huggingface_hub import constants

            patch.setattr(constants, "HF_HOME", str(home / "cache"))
            yield trained(MODEL_PATH=str(home / "base.gguf"))


def test_an_adapter_alone_is_refused_before_training(trained: Make) -> None:
    with pytest.raises(InputError, match="no place for the tokens of ADD_TOKENS"):
        trained(EXPORT="gguf_adapter")
