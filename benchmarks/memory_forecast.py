"""What `adapt check` foretells of memory, against the tensors of a real step.

    python -m benchmarks.memory_forecast CONFIG [--set KEY=VALUE]...   prints a row of the table

Weights, gradients and optimizer states are counted on the model that the run trains; activations are what autograd
keeps in the forward pass of the largest batch.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from adapt_core import running
from adapt_core.contracts import World
from adapt_core.devices import first_device
from adapt_core.parts import Parts
from adapt_core.pipeline import attach
from adapt_core.registry import Registry


def storages(tensors: Any) -> dict[int, int]:
    """Storage -> bytes, each once."""
    return {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors if isinstance(t, torch.Tensor)}


def statistics(model: Any) -> list[Any]:
    """The tensors that quantized weights keep beside them."""
    found = []
    for tensor in model.parameters():
        state = getattr(tensor, "quant_state", None)
        if state is not None:
            nested = [state.state2.absmax, state.state2.code, state.offset] if state.nested else []
            found += [state.absmax, *nested]
        found.append(getattr(tensor, "SCB", None))
    return found


def measure(config: str, overrides: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Foretold and real bytes by kind."""
    from transformers import Trainer, TrainingArguments

    plan = running.check(config, overrides=overrides)
    memory = running.foresee(plan).memory
    assert memory is not None
    parts = Parts.of(plan, Registry.discover())
    data = parts.task.load_data()
    device = first_device()
    _, model = attach(plan, parts, parts.task.load_model(data, parts.quantizer, World(device=device)))
    own = storages([*model.parameters(), *model.buffers(), *statistics(model)])
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage()._cdata not in own:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    batch = {name: value.to(device) for name, value in parts.task.largest_batch(data).items()}  # type: ignore[attr-defined]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = model.train().to(device)(**batch).loss
    activations = sum(storages(kept.values()).values())
    loss.backward()
    arguments = TrainingArguments("unused", optim=plan.training.optimizer, use_cpu=device == "cpu", report_to=[])
    optimizer = Trainer(model=model, args=arguments).create_optimizer()
    optimizer.step()
    states = storages(value for held in optimizer.state.values() for value in held.values())
    gradients = storages(parameter.grad for parameter in model.parameters())
    real = {"weights": own, "gradients": gradients, "optimizer": states}
    foretold = {"weights": memory.weights, "gradients": memory.gradients, "optimizer": memory.optimizer}
    return (
        {**foretold, "activations": memory.activations or 0},
        {**{name: sum(found.values()) for name, found in real.items()}, "activations": activations},
    )


def main() -> None:
    """Prints foretold / real (ratio) for each kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    given = parser.parse_args()
    foretold, real = measure(given.config, given.overrides)
    cells = [
        f"{foretold[kind] / 2**20:.1f} / {real[kind] / 2**20:.1f} MiB ({foretold[kind] / max(real[kind], 1):.3f})"
        for kind in real
    ]
    print("| foretold / real | " + " | ".join(real) + " |")
    print(f"| {' '.join(given.overrides) or given.config} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
