"""Products of float32 matrices by oneDNN over torch's own: `python -m benchmarks.products`, some ten seconds.

The three products of a linear layer (forward pass, gradients of input and weight) in one thread, by the processor's
time, the two sides in turn. Prints one JSON object: for each shape, oneDNN over torch as median, least and most of 15
rounds, with the greatest difference relative to the greatest number. On a processor that FAST_PRODUCTS leaves alone it
says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from adapt_core.nn.products import fast_products, has_slow_products
from benchmarks.pairs import spread

ROUNDS = 15
SHAPES = {
    "MiniLM, 850 tokens: 384 to 1536": (850, 384, 1536),
    "SmolLM2, 2048 tokens: 576 to 1536": (2048, 576, 1536),
    "SmolLM2's words, 64 tokens: 576 to 49152": (64, 576, 49152),
    "a decoder's step, 32 rows: 384 to 1536": (32, 384, 1536),
}


def seconds(compute: Callable[[], object], context: AbstractContextManager[None]) -> float:
    """Return the processor's seconds of a call within a context, of at least 10 ms of calls."""
    with context:
        compute()
        begun, calls = time.process_time(), 0
        while time.process_time() - begun < 0.01:
            compute()
            calls += 1
        return (time.process_time() - begun) / calls


def compared(rows: int, inputs: int, outputs: int) -> dict[str, float]:
    """Return one layer's times and difference."""
    torch.manual_seed(0)
    x, slope = torch.randn(rows, inputs), torch.randn(rows, outputs)
    weight, bias = torch.randn(outputs, inputs), torch.randn(outputs)

    def products() -> tuple[torch.Tensor, ...]:
        return torch.nn.functional.linear(x, weight, bias), slope @ weight, slope.t() @ x

    with fast_products(wanted=True):
        found = products()
    differences = [float((one - own).abs().max() / own.abs().max()) for one, own in zip(found, products(), strict=True)]
    ratios = []
    for _ in range(ROUNDS):
        own = seconds(products, nullcontext())
        ratios.append(seconds(products, fast_products(wanted=True)) / own)
    return {**spread(ratios), "greatest_difference": max(differences)}


def main() -> None:
    """Compare each shape."""
    torch.set_num_threads(1)
    if not has_slow_products():
        print(json.dumps({"left alone": "torch's own products are as fast on this processor"}))
        return
    print(json.dumps({name: compared(*shape) for name, shape in SHAPES.items()}))


if __name__ == "__main__":
    main()
