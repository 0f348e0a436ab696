"""How fast the processor is in half precision, which has no instructions of its own on many CPUs."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan

_SIZE = 128
"""Rows and columns of the matrices that are timed: large enough that a product's time is that of its arithmetic."""
_ROUNDS = 5
_SLOW = 2.0
"""Slower than float32 by this factor, half precision is not worth its smaller weights. Processors with instructions
for it stand near or below 1, those without above 4."""


@cache
def half_precision_cost(dtype: str) -> float:
    """Return how many times longer than in float32 a linear layer takes in half precision on this machine's CPU.

    Measured once per process, in some hundredths of a second: the product of the forward pass and the two of the
    backward pass, by the processor time of one thread, which other work of the machine hardly lengthens. Imports torch.

    Args:
        dtype: "bfloat16" or "float16".
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        half, single = _Products(dtype), _Products("float32")
        times = [(half.seconds(), single.seconds()) for _ in range(_ROUNDS + 1)][1:]  # the first loads kernels
    finally:
        torch.set_num_threads(threads)
    return min(own for own, _ in times) / min(other for _, other in times)


def slow_half_precision(dtype: str | None, device: str) -> float | None:
    """Return how many times slower than float32 a data type is where a device computes it without instructions for it.

    Args:
        dtype: a name of torch's, or None.
        device: "cpu" or "cuda:0". GPUs are taken to be fast; `refuse_impossible_precision` knows those that cannot.

    Returns:
        the factor; None where the type is no half precision, or is fast.
    """
    if device != "cpu" or dtype not in ("bfloat16", "float16"):
        return None
    cost = half_precision_cost(dtype)
    return cost if cost > _SLOW else None


def precision_warnings(plan: Plan, device: str, *, launched_bf16: bool | None) -> list[str]:
    """Return what a user should know of a precision that the config asks for and the device computes slowly.

    Args:
        plan: for BF16, and for DTYPE, of which auto chooses by itself.
        device: where the run trains.
        launched_bf16: whether the launcher was told to train in bfloat16 mixed precision; None where BF16 decides.
    """
    chosen = None if plan.model.dtype == "auto" else plan.model.dtype
    warnings = []
    mixed = plan.training.bf16 if launched_bf16 is None else launched_bf16
    key, better = ("BF16", "false") if launched_bf16 is None else ("mixed_precision", '"no"')
    cost = slow_half_precision("bfloat16" if mixed else None, device)
    if cost is not None:
        warnings.append(
            f"{key}: this processor computes bfloat16 {cost:.0f} times slower than float32: set {key}: {better}."
        )
    cost = slow_half_precision(chosen, device)
    if cost is not None:
        warnings.append(
            f"DTYPE: this processor computes {chosen} {cost:.0f} times slower than float32: set DTYPE: auto, unless "
            "only half of the memory is there."
        )
    return warnings


class _Products:
    """The products of matrices that a linear layer takes, in one data type."""

    def __init__(self, dtype: str) -> None:
        import torch

        self._left, self._right = (torch.ones(_SIZE, _SIZE, dtype=getattr(torch, dtype)) for _ in range(2))

    def seconds(self) -> float:
        """Return the processor time that they take."""
        begun = time.thread_time()
        self._left @ self._right.T
        self._left @ self._right
        self._left.T @ self._right
        return time.thread_time() - begun
