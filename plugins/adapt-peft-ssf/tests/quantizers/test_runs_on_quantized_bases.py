"""Whole runs of text classification on quantized bases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing.forks import LIBRARIES, fork_server_of

from ..jobs import METHODS, config

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")


@pytest.mark.parametrize("switch", ["load_in_4bit", "load_in_8bit"])
@pytest.mark.parametrize("method", METHODS)
def test_a_run_on_a_quantized_base_learns_and_merges_what_it_measured(
    method: str, switch: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method=method, EPOCHS=6, LOGGING_STEPS=1)
    result = adapt_core.run({**keys, switch: True})

    assert result.training_check["verdict"] == "learned"
    assert result.training_check["frozen_changed"] == 0
    assert result.quantization == {"load_in_4bit": "bnb_4bit", "load_in_8bit": "bnb_8bit"}[switch]
    assert set(result.artifacts) >= {"adapter"}
    assert "model" not in result.artifacts

    merged = {**keys, switch: True, "MERGE_ADAPTER": True, "OUTPUT_DIR": str(tmp_path / "merged")}
    result = adapt_core.run(merged)
    assert "model" in result.artifacts
    assert result.merge["relative_difference"] <= result.merge["tolerance"]
    exported = adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "exported")

    from safetensors.torch import load_file

    at_once = load_file(tmp_path / "merged" / "model" / "model.safetensors")
    later = load_file(exported / "model.safetensors")
    assert at_once.keys() == later.keys()
    for name, tensor in at_once.items():
        assert (later[name] - tensor).abs().max() <= 1e-5 * tensor.abs().max().clamp(min=1), name


def test_half_precision_trains_an_adapter_on_an_eight_bit_base(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", BF16=True, load_in_8bit=True, DO_EVAL=False)
    result = adapt_core.run({**keys, "INTERVAL": "no"})
    assert result.training_check["frozen_changed"] == 0


@pytest.mark.parametrize("save_method", ["state_dict", "save_pretrained", "full_torch_model"])
def test_a_merged_quantized_run_loads_as_a_plain_model_in_every_form(
    save_method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="SSF", load_in_4bit=True, MERGE_ADAPTER=True, EPOCHS=1)
    adapt_core.run({**keys, "SAVE_METHOD": save_method})
    script = """
import json, sys
exec(open(sys.argv[1]).read())
dtype = str(next(model.parameters()).dtype)
print(json.dumps([type(model).__name__, dtype, hasattr(model.config, "quantization_config")]))
"""
    card = (tmp_path / "run" / "README.md").read_text()
    (tmp_path / "lines.py").write_text(card.partition("```python\n")[2].partition("```")[0])
    done = fork_server_of(*LIBRARIES, "peft").run(script, str(tmp_path / "lines.py"), folder=tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["BertForSequenceClassification", "torch.float32", False]


@pytest.mark.parametrize(("switch", "tolerance"), [("load_in_4bit", 1e-3), ("load_in_8bit", 5e-2)])
def test_the_last_layer_trains_on_a_quantized_base_and_is_saved_on_a_plain_one(
    switch: str, tolerance: float, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="last_layer", **{switch: True})
    result = adapt_core.run({**keys, "bnb_4bit_compute_dtype": "float32"})
    assert result.training_check["verdict"] == "learned"
    assert result.training_check["frozen_changed"] == 0
    model = str(tmp_path / "run" / "model")
    plain = {key: value for key, value in keys.items() if key not in (switch, "method")}
    again = adapt_core.run({**plain, "MODEL_PATH": model, "DO_TRAIN": False, "OUTPUT_DIR": str(tmp_path / "again")})
    assert again.metrics["before"]["loss"] == pytest.approx(result.metrics["after"]["loss"], rel=tolerance)


def test_a_run_of_the_last_layer_on_a_quantized_base_is_resumed(
    tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "whole", method="last_layer", load_in_4bit=True, INTERVAL="epoch")
    whole = adapt_core.run(keys)
    checkpoint = str(tmp_path / "whole" / "checkpoints" / "checkpoint-4")
    again = {**keys, "OUTPUT_DIR": str(tmp_path / "again"), "RESUME_FROM_CHECKPOINT": checkpoint}
    assert adapt_core.run(again).metrics["after"] == whole.metrics["after"]


def test_only_the_head_trains_on_a_quantized_base(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="last_layer", load_in_8bit=True, LAST_LAYERS=2)
    with pytest.raises(InputError, match="LAST_LAYERS: 2: on a quantized base the head alone can train"):
        adapt_core.run(keys)
