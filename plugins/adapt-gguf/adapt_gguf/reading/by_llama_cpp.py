"""Read a GGUF model by llama.cpp, with a GGUF adapter where there is one, and compute a batch.

python by_llama_cpp.py FOLDER INPUTS.npz OUTPUTS.npz THREADS MODEL [ADAPTER]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

import numpy
from llama_cpp import Llama


def main(folder: str, inputs: str, outputs: str, threads: str, model: str, adapter: str | None = None) -> None:
    """Write the logits of the batch, zeros where it is padded, and the time of the first row."""
    with numpy.load(inputs, allow_pickle=False) as stored:
        ids = stored["input_ids"]
        mask = stored["attention_mask"].astype(bool) if "attention_mask" in stored.files else numpy.ones_like(ids, bool)
    loaded = Llama(
        str(Path(folder, model)),
        n_ctx=ids.shape[1],
        n_batch=ids.shape[1],
        n_threads=int(threads),
        logits_all=True,
        verbose=False,
        lora_path=None if adapter is None else str(Path(folder, adapter)),
    )
    logits = numpy.zeros((*ids.shape, loaded.n_vocab()), numpy.float32)
    for row, (numbers, kept) in enumerate(zip(ids, mask, strict=True)):
        tokens = numbers[kept].tolist()
        loaded.reset()
        loaded.eval(tokens)
        logits[row, kept] = loaded.scores[: len(tokens)]
    times: list[float] = []
    while len(times) < 20 and sum(times) < 2:
        started = time.perf_counter()
        loaded.reset()
        loaded.eval(ids[0][mask[0]].tolist())
        times.append(time.perf_counter() - started)
    numpy.savez(outputs, logits=logits, latency_ms=1000 * median(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
