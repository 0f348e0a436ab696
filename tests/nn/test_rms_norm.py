"""An RMS norm that keeps its input alone, and what comes next keeps the same parts in place of the output."""

from __future__ import annotations

import pytest
import torch

from adapt_core.nn.rms_norm import parts_of, rms_norm, whole


def normed(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(3, 5, 8, dtype=dtype, requires_grad=True)
    weight = torch.randn(8, dtype=dtype, requires_grad=True)
    return x, weight, rms_norm(x, weight, 1e-5)


def test_output_and_gradients_are_torchs() -> None:
    x, weight, output = normed()
    expected = torch.nn.functional.rms_norm(x, (8,), weight, 1e-5)
    torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-12)
    slope = torch.randn(output.shape, dtype=output.dtype)
    found, wanted = (torch.autograd.grad(made, (x, weight), slope) for made in (output, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_output_is_made_of_its_parts_bit_by_bit(dtype: torch.dtype) -> None:
    x, weight, output = normed(dtype)
    parts = parts_of(output)
    assert parts[0] is x
    assert parts[1] is weight
    assert torch.equal(whole(*parts), output)


def test_an_output_that_was_written_to_is_its_own_part() -> None:
    output = normed()[2]
    output.mul_(2)
    assert parts_of(output)[0] is output
    assert whole(*parts_of(output)) is output


def test_other_tensors_are_their_own_parts() -> None:
    tensor = torch.ones(2)
    assert parts_of(tensor) == (tensor, None, None)
    with torch.no_grad():
        output = normed()[2]
    assert parts_of(output)[0] is output
