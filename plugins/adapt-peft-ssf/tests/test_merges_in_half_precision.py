"""Adapters on a base in bfloat16: what of them survives the merge is measured, said, and can be kept in float32."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import adapt_core
from adapt_core.cli import cli
from adapt_core.errors import InputError
from adapt_core.execution.merge import merge_checked
from adapt_core.nn.weights import read_state_dict
from adapt_core.verification.merge import OutputComparison

from .adapters import make
from .jobs import config
from .models import CASES

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

METHODS = ("LoRA", pytest.param("DoRA", marks=pytest.mark.slow), pytest.param("SSF", marks=pytest.mark.slow))


@pytest.fixture(scope="module")
def half(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the small BERT with its weights in bfloat16."""
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path_factory.mktemp("half")
    AutoModel.from_pretrained(tiny_encoder, dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(folder)
    return folder


def keys(model: Path, inbox: Path, output: Path, **more: Any) -> dict[str, Any]:
    """Return a short run that learns little."""
    return config(
        model, inbox, output, **{"MAX_EVAL_SAMPLES": 16, "MAX_STEPS": 4, "LR": 1e-5, "DTYPE": "bfloat16", **more}
    )


def changed(run: Path, base: Path) -> int:
    """Return how many of the encoder's weights a merged model has in another value than its base."""
    state, saved = read_state_dict(base / "model.safetensors"), read_state_dict(run / "model" / "model.safetensors")
    return sum(int((saved[f"bert.{name}"].float() != tensor.float()).sum()) for name, tensor in state.items())


@pytest.mark.parametrize("method", METHODS)
def test_what_rounding_takes_away_is_said_and_float32_keeps_it(
    method: str, half: Path, inbox: Path, tmp_path: Path
) -> None:
    rounded = adapt_core.run(keys(half, inbox, tmp_path / "rounded", method=method))
    whole = adapt_core.run(keys(half, inbox, tmp_path / "whole", method=method, MERGE_DTYPE="float32"))

    saved = read_state_dict(tmp_path / "rounded" / "model" / "model.safetensors")
    assert saved["bert.encoder.layer.0.attention.self.query.weight"].dtype is torch.bfloat16
    assert rounded.merge["kept"] < 0.9
    assert f"keeps {rounded.merge['kept']:.2g} of what the adapter changed" in " ".join(rounded.warnings)
    assert "MERGE_DTYPE: float32" in (tmp_path / "rounded" / "log.txt").read_text()
    assert "kept" in (tmp_path / "rounded" / "report.html").read_text()

    assert whole.merge["kept"] > 0.99
    assert "MERGE_DTYPE" not in " ".join(whole.warnings)
    assert changed(tmp_path / "whole", half) > changed(tmp_path / "rounded", half)


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_adapter_survives_in_float32_without_a_word(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    result = adapt_core.run(keys(tiny_encoder, inbox, tmp_path / "run", method=method, LR=1e-3, DTYPE="auto"))
    assert result.merge["kept"] > 0.99
    assert "MERGE_DTYPE" not in " ".join(result.warnings)


def test_the_share_is_that_of_the_merged_weights(half: Path, inbox: Path, tmp_path: Path) -> None:
    """SSF's little step is below half of bfloat16's: the saved weights are the checkpoint's, and nothing is kept."""
    result = adapt_core.run(keys(half, inbox, tmp_path / "run", method="SSF", LR=1e-6, target_modules=["query"]))
    assert result.training_check["verdict"] == "learned"
    state = read_state_dict(half / "model.safetensors")
    saved = read_state_dict(tmp_path / "run" / "model" / "model.safetensors")
    name = "encoder.layer.0.attention.self.query.weight"
    assert torch.equal(saved[f"bert.{name}"], state[name])
    assert result.merge["kept"] in (None, pytest.approx(0.0, abs=0.05))


@pytest.mark.parametrize("start", [True, "pissa"])
def test_a_trained_head_does_not_count(start: bool | str) -> None:
    """It is in both models: an adapter that bfloat16 rounds away is not hidden by what the head has learned."""
    case = CASES["bert"]
    method = make("LoRA", init_lora_weights=start, target_modules=("value", "dense"))
    model = method.attach(case.seeded().bfloat16(), case.context)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "lora_B" in name:
            parameter.data += 1e-5 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3))
        elif parameter.requires_grad and "lora_" not in name:
            parameter.data += 3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4))
    _, outcome = merge_checked(model, method, None, OutputComparison(case.inputs(), "random", rounded=True), "auto")
    assert outcome is not None
    assert outcome["kept"] is not None
    assert outcome["kept"] < 0.5


@pytest.mark.parametrize("start", ["pissa_niter_2", pytest.param("olora", marks=pytest.mark.slow)])
def test_a_start_that_moved_the_base_is_measured_against_its_beginning(
    start: str, half: Path, inbox: Path, tmp_path: Path
) -> None:
    given = keys(half, inbox, tmp_path / "run", method="LoRA", init_lora_weights=start, LR=1e-3)
    result = adapt_core.run(given)
    assert result.merge["kept"] is not None
    assert result.merge["kept"] < 1


def test_a_rounded_model_is_merged_anew_in_float32(half: Path, inbox: Path, tmp_path: Path) -> None:
    adapt_core.run(keys(half, inbox, tmp_path / "run", method="LoRA"))
    adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "rounded")
    arguments = [str(tmp_path / "run"), "--save-method", "safetensors", "-o", str(tmp_path / "whole")]
    done = CliRunner().invoke(cli, ["export", *arguments, "--merge-dtype", "float32"])
    assert done.exit_code == 0, done.output
    assert re.search(r"merged: (1|0\.99\d*) of what the adapter changed is kept", done.output)
    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert read_state_dict(tmp_path / "rounded" / "model.safetensors")[name].dtype is torch.bfloat16
    assert read_state_dict(tmp_path / "whole" / "model.safetensors")[name].dtype is torch.float32
    with pytest.raises(InputError, match="--merge-dtype must be one of auto, float32"):
        adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "other", merge_dtype="int8")


def test_export_merges_as_the_run_s_config_says(half: Path, inbox: Path, tmp_path: Path) -> None:
    adapt_core.run(keys(half, inbox, tmp_path / "run", method="LoRA", MERGE_ADAPTER=False, MERGE_DTYPE="float32"))
    adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "exported")
    saved = read_state_dict(tmp_path / "exported" / "model.safetensors")
    assert saved["bert.encoder.layer.0.attention.self.query.weight"].dtype is torch.float32


@pytest.mark.parametrize("method", ["full", pytest.param("last_layer", marks=pytest.mark.slow)])
def test_weights_of_the_base_that_train_do_so_in_float32(method: str, half: Path, inbox: Path, tmp_path: Path) -> None:
    adapt_core.run(keys(half, inbox, tmp_path / "run", method=method, DTYPE="auto"))
    with pytest.raises(InputError, match="has no adapter/ to merge"):
        adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "exported", merge_dtype="float32")
    saved = read_state_dict(tmp_path / "run" / "model" / "model.safetensors")
    assert saved["classifier.weight"].dtype is torch.float32
    if method == "full":
        state = read_state_dict(half / "model.safetensors")
        name = "encoder.layer.0.attention.self.query.weight"
        assert (saved[f"bert.{name}"] != state[name].float()).float().mean() > 0.9
