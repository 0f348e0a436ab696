"""Products of float32 matrices by oneDNN: the same numbers up to rounding, and torch's own kernels everywhere else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from adapt_core.nn import products
from adapt_core.nn.products import fast_products

ONEDNN = "mkldnn::_linear_pointwise"

pytestmark = pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and hasattr(torch.library, "get_kernel")),
    reason="this torch has no oneDNN, or its kernels cannot be replaced",
)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor whose AVX-512 MKL does not use, whatever the tests run on."""
    monkeypatch.setattr(products, "has_slow_products", lambda: True)


def by_onednn(compute: Callable[[], object]) -> int:
    """Return how many products oneDNN computed."""
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        compute()
    return sum(event.count for event in watched.key_averages() if event.key == ONEDNN)


@pytest.mark.parametrize("rows", [2, 17, 300])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_and_its_gradients_are_those_of_torch(slow: None, rows: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(600, 900, bias=bias)
    x = torch.randn(1, rows, 600, requires_grad=True)
    slopes = torch.randn(1, rows, 900)

    def results() -> list[torch.Tensor]:
        output = layer(x)
        return [output.detach(), *torch.autograd.grad(output, [x, *layer.parameters()], slopes)]

    expected = results()
    with fast_products(wanted=True):
        assert by_onednn(results) == 3
        found = results()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * float(other.abs().max()))


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_transposed_matrices_are_multiplied_as_they_stand(slow: None, turned: tuple[bool, bool]) -> None:
    left, right = torch.randn(120, 130), torch.randn(130, 140)
    left, right = (
        matrix.t().contiguous().t() if turn else matrix for matrix, turn in zip((left, right), turned, strict=True)
    )
    with fast_products(wanted=True):
        found = left @ right
        cut = left[::2, 1:] @ right[1:, ::2].contiguous()[:, :60]
    torch.testing.assert_close(found.double(), left.double() @ right.double(), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(cut, left[::2, 1:] @ right[1:, ::2][:, :60], rtol=1e-5, atol=1e-4)
    assert found.is_contiguous()


def test_the_gradient_of_a_wide_layer_needs_no_copy_of_its_slopes(slow: None) -> None:
    slopes, x = torch.randn(300, 4000), torch.randn(300, 40)
    expected = slopes.double().t() @ x.double()
    with (
        fast_products(wanted=True),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched,
    ):
        found = slopes.t() @ x
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)
    assert found.is_contiguous()
    taken = sum(max(event.self_cpu_memory_usage, 0) for event in watched.events())
    assert 0 < taken < 4 * slopes.numel()


def test_products_into_given_tensors_are_those_of_compiled_code(slow: None) -> None:
    left, right, bias = torch.randn(200, 300), torch.randn(300, 150), torch.randn(150)
    product = left.double() @ right.double()
    with fast_products(wanted=True):
        out = torch.empty(200, 150)
        for summand, compute in (
            (0, lambda: torch.mm(left, right, out=out)),
            (bias, lambda: torch.addmm(bias, left, right, out=out)),
            (bias, lambda: torch.addmm(bias.expand(200, 150), left, right, out=out)),
        ):
            out.zero_()
            assert by_onednn(compute) == 1
            torch.testing.assert_close(out.double(), product + summand, rtol=1e-5, atol=1e-4)
        assert by_onednn(lambda: torch.mm(left, right, out=torch.empty(0))) == 0
        with pytest.raises(RuntimeError, match="out tensor to have dtype float"):
            torch.mm(left, right, out=torch.empty(200, 150, dtype=torch.double))
        compiled = torch.compile(nn.Linear(300, 150), backend="aot_eager")
        assert by_onednn(lambda: compiled(left).sum().backward()) == 2


def test_only_large_products_of_float32_are_others(slow: None) -> None:
    large = torch.randn(200, 200)

    def others() -> None:
        large[:20, :20] @ large[:20, :20]
        large[:1] @ large.repeat(1, 30)
        large.double() @ large.double()
        large.bfloat16() @ large.bfloat16()
        (10 * large).long() @ (10 * large).long()
        torch.addmm(large, large, large)
        torch.addmm(large[0], large, large, beta=2)
        torch.ones(0, 200) @ large
        torch.ones(200, 0) @ torch.ones(0, 200)

    with fast_products(wanted=True):
        assert by_onednn(others) == 0
        assert by_onednn(lambda: large @ large) == 1
        assert torch.equal((large.double() @ large.double()), large.double().mm(large.double()))


def test_shapes_that_do_not_fit_are_told_as_torch_tells_them(slow: None) -> None:
    left, right = torch.ones(200, 300), torch.ones(200, 300)
    with pytest.raises(RuntimeError) as own:
        left @ right
    with fast_products(wanted=True), pytest.raises(RuntimeError) as found:
        left @ right
    assert str(found.value) == str(own.value)


def test_torch_has_its_own_kernels_back_after_the_last_context(slow: None) -> None:
    large = torch.randn(200, 200)
    with fast_products(wanted=True):
        with fast_products(wanted=True):
            assert by_onednn(lambda: large @ large) == 1
        assert by_onednn(lambda: large @ large) == 1
    assert by_onednn(lambda: large @ large) == 0
    with pytest.raises(ZeroDivisionError), fast_products(wanted=True):
        raise ZeroDivisionError
    assert by_onednn(lambda: large @ large) == 0


def test_the_key_turns_it_off(slow: None) -> None:
    large = torch.randn(200, 200)
    with fast_products(wanted=False):
        assert by_onednn(lambda: large @ large) == 0


def test_other_processors_are_left_alone_without_torch() -> None:
    code = (
        "import sys; from adapt_core.nn import products; products._is_amd = lambda: False\n"
        "with products.fast_products(wanted=True): sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
