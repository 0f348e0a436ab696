"""Time and memory of a training step of each method, relative to full fine-tuning.

    python -m benchmarks.method_steps [--batch 16] [--tokens 64] [--rounds 8]

MiniLM (a Python package ships it) with a head for four classes, AdamW, one batch of whole rows. The methods take turns
in every round, in another order each time, so that a change of the machine's speed meets all of them. Prints one JSON
object: time over full's of the same round, as median, least and greatest; and the bytes that gradients and optimizer
hold, over full's.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from adapt_core.contracts import AttachContext
from adapt_core.methods.full import Full
from adapt_core.methods.last_layer import LastLayer
from adapt_core.methods.params import LastLayerParams
from adapt_core.plugin.params import NoParams
from benchmarks.packaged_models import minilm
from benchmarks.pairs import spread
from benchmarks.random_batches import random_texts

from adapt_peft_ssf import params
from adapt_peft_ssf.methods.any_peft import AnyPeft
from adapt_peft_ssf.methods.dora import Dora
from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.methods.ssf import Ssf
from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
from adapt_peft_ssf.quantizers.bnb_8bit import Bnb8bit

NEW = frozenset({"classifier.weight", "classifier.bias"})
SITE = AttachContext(head=("classifier",), new_parameters=NEW, train_head=True)


def method(name: str) -> Any:
    """Return a method with its defaults."""
    made = {
        "full": lambda: Full(NoParams()),
        "last_layer": lambda: LastLayer(LastLayerParams()),
        "LoRA": lambda: Lora(params.LoraParams()),
        "DoRA": lambda: Dora(params.DoraParams()),
        "SSF": lambda: Ssf(params.SsfParams()),
        "IA3": lambda: AnyPeft(params.AnyPeftParams(peft_name="IA3")),
    }
    return made[name]()


def base(bits: int) -> Any:
    """Return the base model in so many bits (0: float32)."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=4, dtype=torch.float32)
    if not bits:
        return model
    quantizer: Any = (
        Bnb4bit(params.Bnb4bitParams(load_in_4bit=True, bnb_4bit_compute_dtype="float32"))
        if bits == 4
        else Bnb8bit(params.Bnb8bitParams(load_in_8bit=True))
    )
    return quantizer.prepare(quantizer.convert(model, SITE.head, "cpu"), False)


class Training:
    """One method in training."""

    def __init__(self, name: str, bits: int) -> None:
        context = AttachContext(head=SITE.head, new_parameters=NEW, train_head=True, quantized=bool(bits))
        self._model = method(name).attach(base(bits), context).train()
        self._trained = [tensor for tensor in self._model.parameters() if tensor.requires_grad]
        self._optimizer = torch.optim.AdamW(self._trained, lr=1e-4, fused=True)

    def step(self, inputs: dict[str, torch.Tensor]) -> float:
        """Run one step and return its seconds."""
        begun = time.perf_counter()
        self._model(**inputs).loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=False)
        return time.perf_counter() - begun

    def held(self) -> int:
        """Return the bytes of gradients and optimizer state."""
        states = (tensor for state in self._optimizer.state.values() for tensor in state.values())
        return sum(tensor.nbytes for tensor in (*(t.grad for t in self._trained if t.grad is not None), *states))


def main() -> None:
    """Time each and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    inputs = random_texts(given.batch, given.tokens)
    names = [("full", 0), ("last_layer", 0), ("LoRA", 0), ("DoRA", 0), ("SSF", 0), ("IA3", 0)]
    names += [(name, bits) for bits in (4, 8) for name in ("LoRA", "DoRA", "SSF")]
    trainings = {name: Training(*name) for name in names}
    seconds: dict[tuple[str, int], list[float]] = {name: [] for name in names}
    for number in range(given.rounds + 1):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            took = trainings[name].step(inputs)
            if number:  # the first round warms up
                seconds[name].append(took)
    full = seconds["full", 0]
    report = {
        f"{name}{f', {bits} bit' if bits else ''}": {
            "time over full": spread([own / other for own, other in zip(seconds[name, bits], full, strict=True)]),
            "gradients and optimizer over full": round(trainings[name, bits].held() / trainings["full", 0].held(), 4),
        }
        for name, bits in names
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
