"""What LoRA, DoRA and SSF keep for the backward pass, and the processor time of a step, with peft's layers and adapt's.

    python -m benchmarks.adapter_layers [--batch 16] [--tokens 64] [--rounds 12]

First one linear layer of 576 inputs and 1536 outputs: bytes that autograd keeps for each row, its input included. Then
MiniLM (a Python package ships it) with a head for four classes, every linear layer adapted with the method's default
rank, with its default dropout and without: processor time of forward and backward pass over that of LoRA in the same
round, and of peft's layer over adapt's, as median, least and greatest; bytes kept. All take turns in every round, in
another order each time; one thread, with FAST_PRODUCTS. Prints a JSON object for each.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from adapt_core.contracts import AttachContext
from adapt_core.estimate.activations import Kept, own_storages
from adapt_core.nn.products import fast_products
from benchmarks.packaged_models import minilm
from benchmarks.pairs import spread
from benchmarks.random_batches import random_texts
from benchmarks.targets import with_targets

from adapt_peft_ssf import params
from adapt_peft_ssf.methods.dora import Dora
from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.methods.ssf import Ssf

ROWS = 2048
Kind = tuple[str, float, bool]
KINDS: list[Kind] = [
    *((method, dropout, lean) for method in ("LoRA", "DoRA") for dropout in (0.1, 0.0) for lean in (False, True)),
    ("SSF", 0.0, True),
]


def attached(kind: Kind, model: nn.Module, head: str) -> Any:
    """Return a model with a method attached, in training mode."""
    method, dropout, lean = kind
    context = AttachContext(head=(head,), train_head=True, lean_layers=lean)
    made: Any = {
        "LoRA": lambda: Lora(params.LoraParams(dropout=dropout)),
        "DoRA": lambda: Dora(params.DoraParams(dropout=dropout)),
        "SSF": lambda: Ssf(params.SsfParams()),
    }[method]()
    return made.attach(model, context).train()


def named(kind: Kind) -> str:
    """Return how a kind is printed."""
    method, dropout, lean = kind
    return method if method == "SSF" else f"{method}, dropout {dropout}, {'adapt' if lean else 'peft'}"


def kept(model: nn.Module, inputs: dict[str, torch.Tensor]) -> int:
    """Return the bytes that autograd keeps of a forward pass."""
    counted = Kept(own_storages(model))
    with counted.counting(model):
        held = model(**inputs)
    del held
    return counted.bytes


class Layer(nn.Module):
    """A linear layer with a head behind it that keeps nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(576, 1536, bias=False)
        self.head = nn.Identity()

    def forward(self, x: torch.Tensor) -> Any:
        """Return the layer's output."""
        return self.head(self.layer(x))


class Training:
    """A kind in training on MiniLM."""

    def __init__(self, kind: Kind) -> None:
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=4, dtype=torch.float32)
        self.model = attached(kind, model, "classifier")

    def seconds(self, inputs: dict[str, torch.Tensor]) -> float:
        """Return the processor time of a forward and a backward pass."""
        begun = time.process_time()
        self.model(**inputs).loss.backward()
        took = time.process_time() - begun
        self.model.zero_grad()
        return took


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=12)
    given = parser.parse_args()
    torch.set_num_threads(1)
    row = {"x": torch.randn(ROWS, 576, requires_grad=True)}
    one = {named(kind): round(kept(attached(kind, Layer(), "head"), row) / ROWS, 1) for kind in KINDS}
    print(json.dumps({"bytes_for_each_row_of_one_layer": one}, indent=1), flush=True)
    inputs = random_texts(given.batch, given.tokens)
    trainings = {kind: Training(kind) for kind in KINDS}
    seconds: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    with fast_products(wanted=True):
        for number in range(given.rounds + 1):
            for place in range(len(KINDS)):
                kind = KINDS[(place + number) % len(KINDS)]
                took = trainings[kind].seconds(inputs)
                if number:  # the first round warms up
                    seconds[kind].append(took)

    def over(first: Kind, second: Kind) -> dict[str, float]:
        return spread([a / b for a, b in zip(seconds[first], seconds[second], strict=True)])

    report: dict[str, Any] = {"rounds": given.rounds}
    for kind in KINDS:
        method, dropout, lean = kind
        report[named(kind)] = {
            "time over LoRA": over(kind, ("LoRA", dropout, lean)),
            "time over peft's": over(kind, (method, dropout, False)) if method != "SSF" else None,
            "MiB kept": round(kept(trainings[kind].model, inputs) / 2**20, 1),
        }
    print(json.dumps(with_targets("adapter_layers", report), indent=1))


if __name__ == "__main__":
    main()
