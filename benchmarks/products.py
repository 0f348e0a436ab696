"""Products of float32 matrices by oneDNN over torch's own: `python -m benchmarks.products`, some ten seconds.

The three products of a linear layer (forward pass, gradients of input and weight) in one thread, by the processor's
time, the two sides in turn. Prints one JSON object: for each shape, oneDNN over torch as median, least and most of 15
rounds, with the greatest difference relative to the greatest number. On a processor that FAST_PRODUCTS leaves alone it
says so.

`python -m benchmarks.products memory` passes batches of 150 numbers of tokens twice through layers of MiniLM's size, in
a process each with torch's own number of kept shapes (1024) and with adapt's: MiB by which the process grows, and its
processor time in seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


def grown() -> dict[str, float]:
    """Return what a pass over batches of many lengths adds to this process, in MiB, and takes of its time."""
    import psutil

    layers = [torch.nn.Linear(384, 384) for _ in range(4)] + [torch.nn.Linear(384, 1536), torch.nn.Linear(1536, 384)]
    network = torch.nn.Sequential(*layers)

    def step(tokens: int) -> None:
        network(torch.randn(tokens, 384)).sum().backward()
        network.zero_grad(set_to_none=True)

    with fast_products(wanted=True):
        step(400)
        before, begun = psutil.Process().memory_info().rss, time.process_time()
        for tokens in [*range(300, 900, 4)] * 2:
            step(tokens)
        grown_by = psutil.Process().memory_info().rss - before
    return {"MiB": round(grown_by / 2**20), "seconds": round(time.process_time() - begun, 2)}


def memory() -> dict[str, dict[str, float]]:
    """Return what `grown` finds, in processes with torch's own number of kept shapes and with adapt's."""
    found = {}
    own = {"LRU_CACHE_CAPACITY": "1024", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024"}
    for name, environment in {"1024 shapes": own, "as adapt keeps": {}}.items():
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.products", "grown"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        found[name] = json.loads(done.stdout)
    return found


def main() -> None:
    """Compare each shape."""
    torch.set_num_threads(1)
    if not has_slow_products():
        print(json.dumps({"left alone": "torch's own products are as fast on this processor"}))
        return
    if sys.argv[1:] in (["memory"], ["grown"]):
        print(json.dumps(memory() if sys.argv[1] == "memory" else grown()))
        return
    print(json.dumps({name: compared(*shape) for name, shape in SHAPES.items()}))


if __name__ == "__main__":
    main()
