"""Whole runs of text classification with each method."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import adapt_core
from adapt_core.errors import InputError

from .jobs import METHODS, config

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")


@pytest.mark.parametrize("method", METHODS)
def test_a_run_learns_saves_its_adapter_and_merges(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    result = adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method=method, EPOCHS=6, LOGGING_STEPS=1))

    assert result.method == method
    assert result.training_check["verdict"] == "learned"
    assert result.training_check["frozen_changed"] == 0
    assert result.trainable_parameters < result.total_parameters / 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line.get("phase") == "train"]
    assert losses[-1] < losses[0]
    assert result.merge["inputs"] == "validation"
    assert result.merge["relative_difference"] <= 1e-5
    assert 0 < result.artifact_bytes["adapter"] < result.artifact_bytes["model"]
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").exists()
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_a_run_goes_on_from_a_checkpoint_of_its_adapter(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", EPOCHS=2, dropout=0.0)
    whole = adapt_core.run({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    adapt_core.run(keys)
    (tmp_path / "run" / "result.json").unlink()
    last = max((tmp_path / "run" / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    for path in last.iterdir():
        path.unlink()
    last.rmdir()
    resumed = adapt_core.run(keys, resume=True)
    assert resumed.metrics["after"]["loss"] == pytest.approx(whole.metrics["after"]["loss"], abs=1e-6)


def test_gradient_checkpointing_changes_nothing_but_memory(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    losses = [
        adapt_core.run(
            config(
                tiny_encoder, inbox, tmp_path / str(on), method="LoRA", GRADIENT_CHECKPOINTING=on, dropout=0.0, EPOCHS=1
            )
        ).metrics["after"]["loss"]
        for on in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_the_section_of_the_method_is_read(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", LoRA_CONFIG={"r": 2}, DoRA_CONFIG={"r": 4})
    plan = adapt_core.check(keys)
    assert plan.method.params.r == 2


def test_target_modules_reads_from_a_config_as_a_list_or_text(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    for given, read in ((["query", "value"], ("query", "value")), (r".*\.query", r".*\.query"), (None, None)):
        keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", target_modules=given)
        assert adapt_core.check(keys).method.params.target_modules == read


def test_a_misspelt_target_stops_the_run_before_training(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", target_modules=["query", "valeu"])
    with pytest.raises(InputError, match="valeu"):
        adapt_core.run(keys)


def test_a_merge_that_changes_the_function_stops_the_run(
    tiny_encoder: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_core.errors import DefectError

    from adapt_peft_ssf.methods import peft_models

    monkeypatch.setattr(peft_models, "merge", lambda model, quantizer: peft_models.unload(model))
    with pytest.raises(DefectError, match="does not compute what the trained one does"):
        adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", EPOCHS=2))
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize("optimizer", ["paged_adamw_32bit", "adamw_8bit"])
def test_the_optimizers_of_bitsandbytes_train_an_adapter(
    optimizer: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    result = adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", OPTIMIZER=optimizer, EPOCHS=1))
    assert result.training_check["verdict"] == "learned"


def test_listing_plugins_imports_nothing_heavy() -> None:
    script = "import sys, adapt_peft_ssf.plugin; print(sorted({'torch', 'peft', 'bitsandbytes'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SCALES = {
    "SSF": {"method": "SSF"},
    "DoRA": {"method": "DoRA"},
    "IA3": {"method": "peft", "peft_name": "IA3"},
    "BOFT": {"method": "peft", "peft_name": "BOFT", "peft_options": {"boft_block_size": 4}},
}


@pytest.mark.parametrize("method", SCALES)
def test_weight_decay_leaves_scales_and_magnitudes_where_learning_puts_them(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    """Decay of 0.2 a step would take the scales, which start at 1, to 0.2 in eight steps."""
    from safetensors.torch import load_file

    learned = []
    for decay in (0.0, 20.0):
        keys = config(tiny_encoder, inbox, tmp_path / str(decay), WEIGHT_DECAY=decay, DO_EVAL=False, **SCALES[method])
        adapt_core.run(keys)
        path = tmp_path / str(decay) / "adapter" / "adapter_model.safetensors"
        kinds = ("scale", "magnitude", "ia3_l", "boft_s")
        learned.append({name: t for name, t in load_file(path).items() if any(kind in name for kind in kinds)})
    plain, decayed = learned
    assert plain
    for name, tensor in plain.items():
        assert float((decayed[name] / tensor).mean()) > 0.8, name
