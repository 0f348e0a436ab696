"""Ask an export with onnxruntime and numpy alone.

python runtime.py FOLDER INPUTS.npz OUTPUTS.npz THREADS KIND SUFFIX

KIND is forward, decoder or seq2seq, SUFFIX what the names of the files end with ("" or "_int8"). Models with a cache
compute the batch in one pass, and again in two steps, the second of which reads the cache of the first
("logits@cached").
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy
import onnxruntime

Arrays = Mapping[str, Any]
_CALLS, _SECONDS = 20, 2.0


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Load a model for the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(model: onnxruntime.InferenceSession, given: Arrays) -> dict[str, Any]:
    """Return the outputs of a model by name; inputs that it does not have are left out."""
    names = [output.name for output in model.get_outputs()]
    known = {one.name for one in model.get_inputs()}
    found = model.run(names, {name: value for name, value in given.items() if name in known})
    return dict(zip(names, found, strict=True))


def empty_cache(shape: Mapping[str, int], rows: int) -> dict[str, Any]:
    """Return a cache that has no positions yet."""
    nothing = numpy.zeros((rows, shape["heads"], 0, shape["width"]), numpy.float32)
    return {f"past_key_values.{layer}.{kind}": nothing for layer in range(shape["layers"]) for kind in ("key", "value")}


def cached(found: Arrays) -> dict[str, Any]:
    """Return the cache that a step left, as the next one takes it."""
    return {name.replace("present.", "past_key_values."): v for name, v in found.items() if name.startswith("present.")}


class Forward:
    """A model of one pass."""

    def __init__(self, folder: Path, suffix: str, threads: int) -> None:
        self.model = session(folder / f"model{suffix}.onnx", threads)

    def __call__(self, given: Arrays) -> dict[str, Any]:
        """Return its outputs."""
        return run(self.model, given)


class Decoder(Forward):
    """A language model with a cache."""

    def __init__(self, folder: Path, suffix: str, threads: int) -> None:
        super().__init__(folder, suffix, threads)
        self.cache = json.loads((folder / "cache.json").read_text(encoding="utf-8"))

    def step(self, words: Any, mask: Any, past: Arrays) -> dict[str, Any]:
        """Return logits of words, and the cache."""
        rows, count = words.shape
        before = mask.shape[1] - count
        positions = numpy.arange(before, before + count)[None].repeat(rows, 0)
        return run(self.model, {"input_ids": words, "attention_mask": mask, "position_ids": positions, **past})

    def __call__(self, given: Arrays, *, twice: bool = False) -> dict[str, Any]:
        """Return the logits, and with `twice` those of two steps."""
        words = given["input_ids"]
        mask = given.get("attention_mask", numpy.ones_like(words))
        found = {"logits": self.step(words, mask, empty_cache(self.cache, len(words)))["logits"]}
        half = words.shape[1] // 2
        if twice and half:
            first = self.step(words[:, :half], mask[:, :half], empty_cache(self.cache, len(words)))
            second = self.step(words[:, half:], mask, cached(first))
            found["logits@cached"] = numpy.concatenate([first["logits"], second["logits"]], 1)
        return found


class Seq2seq:
    """An encoder, and a decoder with a cache."""

    def __init__(self, folder: Path, suffix: str, threads: int) -> None:
        self.encoder = session(folder / f"encoder{suffix}.onnx", threads)
        self.decoder = session(folder / f"decoder{suffix}.onnx", threads)
        self.cache = json.loads((folder / "cache.json").read_text(encoding="utf-8"))

    def __call__(self, given: Arrays, *, twice: bool = False) -> dict[str, Any]:
        """Return the encoder's states and the logits, and with `twice` those of two steps."""
        words = given["decoder_input_ids"]
        mask = given.get("attention_mask", numpy.ones_like(given["input_ids"]))
        encoded = run(self.encoder, {"input_ids": given["input_ids"], "attention_mask": mask})
        fixed = {**encoded, "attention_mask": mask}
        nothing = empty_cache(self.cache, len(words))
        found = {
            "encoder_last_hidden_state": encoded["encoder_last_hidden_state"],
            "logits": run(self.decoder, {**fixed, **nothing, "decoder_input_ids": words})["logits"],
        }
        half = words.shape[1] // 2
        if twice and half:
            first = run(self.decoder, {**fixed, **nothing, "decoder_input_ids": words[:, :half]})
            second = run(self.decoder, {**fixed, **cached(first), "decoder_input_ids": words[:, half:]})
            found["logits@cached"] = numpy.concatenate([first["logits"], second["logits"]], 1)
        return found


KINDS = {"forward": Forward, "decoder": Decoder, "seq2seq": Seq2seq}


def main(folder: str, inputs: str, outputs: str, threads: str, kind: str, suffix: str = "") -> None:
    """Write what the export computes of the inputs, and the time of the first row."""
    model: Any = KINDS[kind](Path(folder), suffix, int(threads))
    with numpy.load(inputs, allow_pickle=False) as stored:
        given = {name: stored[name] for name in stored.files}
    rows = len(next(iter(given.values())))
    first = {name: value[:1] if len(value) == rows else value for name, value in given.items()}
    found = model(given) if kind == "forward" else model(given, twice=True)
    model(first)
    times: list[float] = []
    while len(times) < _CALLS and sum(times) < _SECONDS:
        started = time.perf_counter()
        model(first)
        times.append(time.perf_counter() - started)
    numpy.savez(outputs, allow_pickle=False, latency_ms=1000 * median(times), **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
