"""Products of float32 matrices by oneDNN, on processors on which torch's own leave half of the arithmetic units idle.

torch multiplies float32 matrices by MKL, which uses AVX-512 on Intel's processors only: on AMD's it takes AVX2's
instructions, with half as many numbers in each. oneDNN, which torch has for convolutions and half precision, looks at
what the processor can do. Both compute in float32; sums are taken in another order, so results differ by rounding.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LEAST = 1_000_000
"""Multiplications of a product for which the way through Python, some 10 microseconds, is worth while."""
_KEPT_SHAPES = {"LRU_CACHE_CAPACITY": "32", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32"}
"""Environment variables of torch and oneDNN, read at the first product: of so many shapes they keep what they made.
With their own 1024 a run whose batches differ in length holds gigabytes (`benchmarks.products`)."""
_CPU_INFO = Path("/proc/cpuinfo")
_AMD = "AuthenticAMD"


class _Uses:
    """The contexts of `fast_products` that are open in this process, of any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open = 0
        self._kernels = ExitStack()

    def begin(self) -> None:
        """Let torch multiply by oneDNN."""
        with self._lock:
            if not self._open:
                for name, value in _KEPT_SHAPES.items():
                    os.environ.setdefault(name, value)
                self._kernels.enter_context(_multiplied_by_onednn())
            self._open += 1

    def end(self) -> None:
        """Give torch its own kernels back at the end of the last context."""
        with self._lock:
            self._open -= 1
            if not self._open:
                self._kernels.close()


_USES = _Uses()


@contextmanager
def fast_products(*, wanted: bool) -> Iterator[None]:
    """Within the context, torch multiplies float32 matrices on the CPU by oneDNN where that is faster.

    Products of all threads of the process are meant, those of backward passes included: torch's kernels of `mm` and
    `addmm` are replaced. Where `has_slow_products` says that its own are as fast, nothing changes. Imports torch on
    AMD's processors.

    Args:
        wanted: FAST_PRODUCTS; with False nothing changes.
    """
    if not wanted or not has_slow_products():
        yield
        return
    _USES.begin()
    try:
        yield
    finally:
        _USES.end()


@cache
def has_slow_products() -> bool:
    """Return whether this processor has AVX-512 and MKL does not use it: AMD's since Zen 4.

    It depends on the processor alone, and no time is taken: a run that resumes computes as before.
    """
    if not _is_amd():
        return False
    import torch

    has_both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    takes_kernels = hasattr(torch.library, "get_kernel") and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return has_both and takes_kernels and torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def _is_amd() -> bool:
    try:
        with _CPU_INFO.open(encoding="utf-8", errors="replace") as lines:
            return any(_AMD in line for line in lines)
    except OSError:
        return _AMD in platform.processor()


@contextmanager
def _multiplied_by_onednn() -> Iterator[None]:
    """Replace torch's kernels of `mm` and `addmm` on the CPU within the context."""
    import torch

    own = {name: torch.library.get_kernel(f"aten::{name}", "CPU") for name in ("mm", "mm.out", "addmm", "addmm.out")}
    multiply: Callable[..., torch.Tensor] = torch.ops.mkldnn._linear_pointwise.default

    def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor | None:
        if not _is_large(left, right):
            return None
        if _is_better_turned(left, right):
            return multiply(right.t(), left, None, "none", [], "").t().contiguous()
        return multiply(left, right.t(), None, "none", [], "")

    def sum_of(added: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor | None:
        if not (_is_bias(added, left, right) and _is_large(left, right)):
            return None
        return multiply(left, right.t(), _row(added), "none", [], "")

    def mm(keys: Any, left: torch.Tensor, right: torch.Tensor) -> Any:
        found = product(left, right)
        return own["mm"].call_boxed(keys, left, right) if found is None else found

    def mm_out(keys: Any, left: torch.Tensor, right: torch.Tensor, *, out: torch.Tensor) -> Any:
        found = product(left, right) if _takes(out, left, right) else None
        return own["mm.out"].call_boxed(keys, left, right, out=out) if found is None else out.copy_(found)

    def addmm(keys: Any, *matrices: torch.Tensor, **factors: Any) -> Any:
        found = None if factors else sum_of(*matrices)
        return own["addmm"].call_boxed(keys, *matrices, **factors) if found is None else found

    def addmm_out(keys: Any, *matrices: torch.Tensor, out: torch.Tensor, **factors: Any) -> Any:
        found = None if factors or not _takes(out, *matrices[1:]) else sum_of(*matrices)
        return own["addmm.out"].call_boxed(keys, *matrices, out=out, **factors) if found is None else out.copy_(found)

    replaced = {"mm": mm, "mm.out": mm_out, "addmm": addmm, "addmm.out": addmm_out}
    with torch.library._scoped_library("aten", "IMPL") as library:
        for name, kernel in replaced.items():
            library.impl(name, kernel, "CPU", with_keyset=True)
        yield


def _is_bias(added: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> bool:
    """Return whether a product's summand is one row, as it is or as compiled code gives it: expanded to all rows."""
    shape = (left.shape[0], right.shape[1])
    expanded = added.dim() == 2 and added.stride(0) == 0 and added.shape == shape
    return (expanded or added.shape == shape[1:]) and added.dtype is left.dtype


def _row(added: torch.Tensor) -> torch.Tensor:
    """Return the row of such a summand."""
    return (added if added.dim() == 1 else added[0]).contiguous()


def _takes(out: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> bool:
    """Return whether a tensor has the shape and type of a product, so that torch need not change it."""
    return out.shape == (left.shape[0], right.shape[1]) and out.dtype is left.dtype


def _is_better_turned(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Return whether a product takes less memory as the transposed product of the transposed matrices.

    oneDNN copies a first matrix that is not contiguous. In the gradient of a weight that is the slope of the output,
    for a language model's head the words of all tokens.
    """
    rows, inner = left.shape
    columns = right.shape[1]
    return not left.is_contiguous() and inner * columns + rows * columns < rows * inner


def _is_large(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Return whether a product is one of float32 matrices, of more than one row, and worth while."""
    import torch

    rows, inner = left.shape
    return (
        left.dtype is torch.float32
        and right.dtype is torch.float32
        and rows > 1
        and right.shape[0] == inner
        and rows * inner * right.shape[1] >= _LEAST
    )
