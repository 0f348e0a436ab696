"""An adapter that adapt saved, loaded by plain peft on the plain base, is the trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

import adapt_peft_ssf.ssf  # noqa: F401 - registers SSF with peft
from ..adapters import METHODS, make
from ..models import CASES, Case, logits, train

STARTS = (False, "gaussian", "pissa", "pissa_niter_2", "olora", "orthogonal")
FAST = (("LoRA", "gaussian"), ("LoRA", "pissa_niter_2"), ("LoRA", "olora"), ("DoRA", "pissa"))
"""One of each kind; the others of METHODS and STARTS are slow."""
FAMILIES = tuple(CASES)


def _slow_unless(fast: bool) -> list[pytest.MarkDecorator]:
    return [] if fast else [pytest.mark.slow]


def _far_from_plain_peft(method: Any, case: Case, folder: Path) -> float:
    """Train, save, load with plain peft; return the largest difference as a share of the largest output."""
    model = method.attach(case.seeded(), case.context)
    train(model, case.inputs(), steps=4)
    trained = logits(model, case.inputs())
    assert not torch.allclose(trained, logits(case.seeded(), case.inputs()), atol=1e-3), "it learned"
    method.save_adapter(model, folder)
    base = case.seeded()
    torch.manual_seed(77)  # what loading draws is not what the run drew
    loaded = PeftModel.from_pretrained(base, str(folder)).eval()
    return float((logits(loaded, case.inputs()) - trained).detach().abs().max() / trained.abs().max())


@pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(name, family, marks=_slow_unless(number % len(METHODS) == METHODS.index(name)))
        for number, family in enumerate(FAMILIES)
        for name in METHODS
    ],
)
def test_every_method_on_every_family(name: str, family: str, tmp_path: Path) -> None:
    if family.startswith("timm"):
        pytest.importorskip("timm")
    assert _far_from_plain_peft(make(name), CASES[family], tmp_path) <= 1e-6


@pytest.mark.parametrize(
    ("name", "start"),
    [
        pytest.param(name, start, marks=_slow_unless((name, start) in FAST))
        for name in ("LoRA", "DoRA")
        for start in STARTS
    ],
)
def test_every_start(name: str, start: str | bool, tmp_path: Path) -> None:
    targets = {"target_modules": ("query", "value")}
    assert _far_from_plain_peft(make(name, init_lora_weights=start, **targets), CASES["bert"], tmp_path) <= 1e-5


@pytest.mark.parametrize("start", ["pissa_niter_2", "olora"])
def test_a_start_that_moved_a_base_in_bfloat16_is_saved_up_to_its_rounding(start: str, tmp_path: Path) -> None:
    """The rest of the base is rounded by up to 2**-9 of each weight, and so are the outputs of each layer."""
    bert = CASES["bert"]
    half = Case(lambda: bert.make().bfloat16(), bert.inputs, bert.context)
    method = make("LoRA", init_lora_weights=start, target_modules=("query", "value"))
    assert 0 < _far_from_plain_peft(method, half, tmp_path) <= 0.05


@pytest.mark.parametrize("start", ["pissa_niter_2", "olora"])
def test_every_start_keeps_its_scale(start: str, tmp_path: Path) -> None:
    patterns = {"rank_pattern": {"query": 4}, "alpha_pattern": {"value": 3}, "use_rslora": True}
    method = make("LoRA", init_lora_weights=start, target_modules=("query", "value"), **patterns)
    assert _far_from_plain_peft(method, CASES["bert"], tmp_path) <= 1e-5


def test_a_start_that_moved_the_base_is_saved_as_a_plain_adapter_that_merges(tmp_path: Path) -> None:
    case = CASES["gpt2"]
    method = make("LoRA", init_lora_weights="pissa_niter_2")
    model = method.attach(case.seeded(), case.context)
    train(model, case.inputs(), steps=4)
    trained = logits(model, case.inputs())
    method.save_adapter(model, tmp_path)
    again = make("LoRA", init_lora_weights="pissa_niter_2")
    base = case.seeded()
    torch.manual_seed(77)
    merged = again.merge(again.load_adapter(base, tmp_path), None).eval()
    assert (logits(merged, case.inputs()) - trained).abs().max() <= 1e-5 * trained.abs().max()
