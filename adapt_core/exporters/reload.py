"""Load a saved model by Python source and compute a batch, in a process without adapt.

python reload.py FOLDER INPUTS.npz OUTPUTS.npz THREADS SOURCE

The source loads `model/` of the folder that it runs in, and leaves `model` defined.
"""

from __future__ import annotations

import ast
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy
import torch


def main(folder: str, inputs: str, outputs: str, threads: str, source: str) -> None:
    """Write what the loaded model computes of the inputs, and the time of the first row."""
    torch.set_num_threads(int(threads))
    Path("model").symlink_to(folder, target_is_directory=True)
    names: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        try:
            exec(compile(ast.Module([statement], []), "loading lines", "exec"), names)  # noqa: S102 - adapt's own lines
        except Exception:
            if "model" not in names:
                raise
            break  # an example of use that needs a file of the reader's; a model that is not whole shows in its outputs
    model = names["model"].float()
    with numpy.load(inputs, allow_pickle=False) as stored:
        given = {name: torch.from_numpy(stored[name]) for name in stored.files}
    rows = len(next(iter(given.values())))
    first = {name: tensor[:1] if len(tensor) == rows else tensor for name, tensor in given.items()}
    with torch.no_grad():
        found = dict(_named(model(**given)))
        times: list[float] = []
        while len(times) < 20 and sum(times) < 2:
            started = time.perf_counter()
            model(**first)
            times.append(time.perf_counter() - started)
    arrays = {name: tensor.float().numpy() for name, tensor in found.items()}
    numpy.savez(outputs, latency_ms=1000 * median(times), **arrays)


def _named(outputs: Any, name: str = "logits") -> Any:
    if isinstance(outputs, torch.Tensor):
        if outputs.is_floating_point() and outputs.numel():
            yield name, outputs
    elif isinstance(outputs, dict):
        for key, value in outputs.items():
            yield from _named(value, key)
    elif isinstance(outputs, (list, tuple)):
        for number, value in enumerate(outputs):
            yield from _named(value, f"{name}.{number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
