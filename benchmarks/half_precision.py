"""A LoRA step on a checkpoint in bfloat16, relative to one on the same checkpoint in float32.

    python -m benchmarks.half_precision [--batch 4] [--tokens 64] [--rounds 5]

MiniLM (a Python package ships it) with a head for four classes, in bfloat16 as `DTYPE: auto` loads it on this machine
("auto") and as it lies ("bfloat16"). The three take turns in every round, in another order each time. Prints one JSON
object: seconds of processor time over float32's of the same round, as median, least and greatest; what products of
matrices take in bfloat16 over float32 on this processor; and the types that the weights have.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.contracts import AttachContext
from adapt_core.distributed.processor import half_precision_cost
from adapt_core.hf.models.device_dtype import widen_for_device
from adapt_core.plugin.registry import Registry
from benchmarks.packaged_models import minilm
from benchmarks.pairs import spread
from benchmarks.random_batches import random_texts
from benchmarks.targets import with_targets

from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.params import LoraParams

CONTEXT = AttachContext(head=("classifier",), train_head=True)


def loaded(kind: str) -> Any:
    """Return the base: "float32", "bfloat16", or what DTYPE auto makes of bfloat16 ("auto")."""
    torch.manual_seed(0)
    dtype = torch.float32 if kind == "float32" else torch.bfloat16
    model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=4, dtype=dtype)
    if kind == "auto":
        config = {"TASK": "text_classification", "MODEL_PATH": minilm(), "CUSTOM_DATASET_PATH": ".", "method": "LoRA"}
        widen_for_device(model, resolve(RunConfig.read(config), Registry.discover()), "cpu")
    return model


class Training:
    """LoRA on one of the bases."""

    def __init__(self, kind: str) -> None:
        base = loaded(kind)
        self.dtype = str(base.dtype).removeprefix("torch.")
        self._model = Lora(LoraParams()).attach(base, CONTEXT).train()
        trained = [tensor for tensor in self._model.parameters() if tensor.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=1e-4)

    def step(self, inputs: dict[str, torch.Tensor]) -> float:
        """Run one step and return its seconds of processor time."""
        begun = time.process_time()
        self._model(**inputs).loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return time.process_time() - begun


def main() -> None:
    """Time the three and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    inputs = random_texts(given.batch, given.tokens)
    trainings = {kind: Training(kind) for kind in ("float32", "auto", "bfloat16")}
    seconds: dict[str, list[float]] = {kind: [] for kind in trainings}
    kinds = list(trainings)
    for number in range(given.rounds + 1):
        for kind in kinds[number % 3 :] + kinds[: number % 3]:
            took = trainings[kind].step(inputs)
            if number:  # the first round warms up
                seconds[kind].append(took)
    over = {
        kind: spread([own / other for own, other in zip(seconds[kind], seconds["float32"], strict=True)])
        for kind in ("auto", "bfloat16")
    }
    report = {
        "rounds": given.rounds,
        "time over float32": over,
        "a product in bfloat16 over float32": round(half_precision_cost("bfloat16"), 1),
        "weights": {kind: training.dtype for kind, training in trainings.items()},
    }
    print(json.dumps(with_targets("half_precision", report), indent=2))


if __name__ == "__main__":
    main()
