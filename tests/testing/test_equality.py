"""Gradients are compared each with its own size, and transformers' float32 can be had in float64."""

from __future__ import annotations

import pytest
import torch

from adapt_core.testing.equality import assert_same_gradients, float32_as_float64

LARGE, SMALL, NOTHING = torch.tensor([1.0, -0.5]), torch.tensor([1e-4, 2e-5]), torch.tensor([1e-8, 0.0])


def test_a_small_gradient_may_not_be_off_by_a_share_of_a_large_one() -> None:
    expected = {"large": LARGE, "small": SMALL}
    assert_same_gradients({"large": LARGE + 9e-6, "small": SMALL + 9e-10}, expected, 1e-5)
    with pytest.raises(AssertionError, match="small is off"):
        assert_same_gradients({"large": LARGE, "small": SMALL + 2e-9}, expected, 1e-5)


def test_a_gradient_of_rounding_alone_stays_one() -> None:
    expected = {"large": LARGE, "nothing": NOTHING}
    assert_same_gradients({"large": LARGE, "nothing": -NOTHING}, expected, 1e-5)
    with pytest.raises(AssertionError, match="nothing"):
        assert_same_gradients({"large": LARGE, "nothing": SMALL}, expected, 1e-5)


def test_names_and_types_must_be_the_same() -> None:
    with pytest.raises(AssertionError):
        assert_same_gradients({}, {"large": LARGE}, 1.0)
    with pytest.raises(AssertionError, match="large"):
        assert_same_gradients({"large": LARGE.double()}, {"large": LARGE}, 1.0)


def test_within_the_context_norms_of_transformers_compute_in_float64() -> None:
    pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    norm = LlamaRMSNorm(16, eps=1e-6).double()
    x = torch.randn(4, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    exact = x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt()
    with float32_as_float64(norm):
        torch.testing.assert_close(norm(x), exact, rtol=1e-15, atol=1e-15)
    assert float((norm(x) - exact).abs().max()) > 1e-9
    assert x.float().dtype == torch.float32
