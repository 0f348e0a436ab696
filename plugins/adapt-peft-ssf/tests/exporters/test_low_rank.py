"""The exporter lora: what each method trained as a LoRA, loaded by plain peft in a fresh process."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

import adapt_core
from adapt_core.errors import DefectError
from adapt_core.testing import ExporterContract

from ..jobs import config
from adapt_peft_ssf.exporters.factors import Changes, changes_of, factor, short_names

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

RUNS: dict[str, dict[str, Any]] = {
    "SSF": {"method": "SSF"},
    "DoRA": {"method": "DoRA", "r": 2},
    "IA3": {"method": "peft", "peft_name": "IA3"},
    "LoRA": {"method": "LoRA", "r": 2},
    "full": {"FULL_FINE_TUNING": True, "LR": 1e-3},
}


@pytest.fixture(scope="module", params=RUNS)
def finished_run(
    request: pytest.FixtureRequest, tiny_encoder: Path, inbox: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished run of each method."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    adapt_core.run(config(tiny_encoder, inbox, folder, VERDICT="none", **RUNS[request.param]))
    return folder


@pytest.mark.slow
class TestLora(ExporterContract):
    name = "lora"
    settings: ClassVar = ["lora_rank=32"]


def test_the_rank_that_training_had_is_exact(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", r=2, EPOCHS=1, VERDICT="none"))
    settings = ["lora_rank=2", "lora_tolerance=0.00001"]
    adapt_core.export(tmp_path / "run", "lora", tmp_path / "lora", settings=settings)
    written = json.loads((tmp_path / "lora" / "adapter_config.json").read_text())
    assert (written["r"], written["lora_alpha"], written["lora_bias"]) == (2, 2, False)


def test_a_rank_that_is_too_small_fails_with_the_error_that_it_has(
    tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    adapt_core.run(config(tiny_encoder, inbox, tmp_path / "run", VERDICT="none", EPOCHS=4, method="SSF", LR=0.05))
    settings = ["lora_rank=1", "lora_tolerance=0.0001"]
    with pytest.raises(DefectError, match=r"does not compute .*are allowed\)\. Raise lora_rank \(1\), or allow more"):
        adapt_core.export(tmp_path / "run", "lora", tmp_path / "lora", settings=settings)
    assert not (tmp_path / "lora").exists()


def test_the_closest_matrix_of_a_rank() -> None:
    torch.manual_seed(0)
    change = torch.randn(48, 5) @ torch.randn(5, 32)
    exact = factor(change, 5)
    torch.testing.assert_close(exact.b @ exact.a, change, rtol=1e-4, atol=1e-4)
    assert exact.kept == pytest.approx(1)
    values = torch.linalg.svdvals(change)
    two = factor(change, 2)
    assert (change - two.b @ two.a).norm().item() == pytest.approx(values[2:].norm().item(), rel=1e-3)
    assert two.kept == pytest.approx((values[:2].square().sum() / values.square().sum()).item(), rel=1e-4)


def test_a_rank_beyond_the_matrix_is_filled_with_zeros() -> None:
    pair = factor(torch.randn(4, 3), 8)
    assert pair.a.shape == (8, 3)
    assert pair.b.shape == (4, 8)
    assert not pair.a[3:].any()


def test_large_matrices_are_factored_by_projections_as_well() -> None:
    torch.manual_seed(0)
    change = torch.randn(1500, 6) @ torch.randn(6, 64)
    state = torch.random.get_rng_state()
    pair = factor(change, 6)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.testing.assert_close(pair.b @ pair.a, change, rtol=1e-3, atol=1e-2)


def test_names_are_short_where_all_layers_of_a_name_are_adapted() -> None:
    block = nn.ModuleDict({"q": nn.Linear(2, 2), "v": nn.Linear(2, 2)})
    model = nn.ModuleDict({"one": block, "two": nn.ModuleDict({"q": nn.Linear(2, 2), "v": nn.Linear(2, 2)})})
    chosen = dict.fromkeys(("one.q", "two.q", "one.v"), torch.zeros(1))
    assert short_names(chosen, model) == ["one.v", "q"]


def test_what_is_no_linear_layer_is_kept_whole() -> None:
    before = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 3))
    after = copy.deepcopy(before)
    assert changes_of(before, after, frozenset()) == Changes({}, {}, (), inputs_first=False)
    with torch.no_grad():
        after[0].bias.add_(1)
        after[1].weight.add_(1)
    changes = changes_of(before, after, frozenset({"2.weight", "2.bias"}))
    assert changes.modules == ("1", "2")
    assert list(changes.biases) == list(changes.weights) == ["0"]
    assert not changes.weights["0"].any()
