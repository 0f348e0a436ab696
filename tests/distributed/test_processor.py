"""What half precision costs on this machine's processor, measured."""

from __future__ import annotations

import pytest

from adapt_core.distributed import processor
from adapt_core.distributed.processor import half_precision_cost, slow_half_precision


def test_float32_costs_what_it_costs() -> None:
    assert half_precision_cost.__wrapped__("float32") == pytest.approx(1, rel=0.9)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_type_is_slow_above_the_threshold_alone(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = half_precision_cost(dtype)
    assert cost > 0
    monkeypatch.setattr(processor, "_SLOW", cost * 2)
    assert slow_half_precision(dtype, "cpu") is None
    monkeypatch.setattr(processor, "_SLOW", cost / 2)
    assert slow_half_precision(dtype, "cpu") == cost


@pytest.mark.parametrize(("dtype", "device"), [("float32", "cpu"), (None, "cpu"), ("bfloat16", "cuda:0")])
def test_only_half_precision_on_a_cpu_is_measured(
    dtype: str | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "_SLOW", 0)
    assert slow_half_precision(dtype, device) is None
