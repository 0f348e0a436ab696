"""What an optimizer will keep, against what each really keeps after a step."""

from __future__ import annotations

from typing import Any

import pytest

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.estimate.memory import training_bytes
from adapt_core.hf import HF_LOOP


def bytes_of(state: Any) -> int:
    import torch

    tensors: dict[int, int] = {}
    for held in state.values():
        for value in held.values():
            if isinstance(value, torch.Tensor):
                tensors[value.untyped_storage()._cdata] = value.untyped_storage().nbytes()
    return sum(tensors.values())


@pytest.mark.parametrize("name", HF_LOOP.optimizers)
def test_the_states_take_what_was_foretold_to_one_per_cent(name: str, tmp_path: Any) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    if "8bit" in name or "32bit" in name or "ademamix" in name:
        pytest.importorskip("bitsandbytes")
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(300, 64), nn.Linear(64, 256), nn.Linear(256, 128), nn.LayerNorm(128))
    model[1].bias.requires_grad_(False)
    gradients, states = training_bytes(model, TrainingParams(optimizer=name))
    arguments = transformers.TrainingArguments(str(tmp_path), optim=name, use_cpu=True, report_to=[])
    trainer = transformers.Trainer(model=model, args=arguments)
    optimizer = trainer.create_optimizer()
    model(torch.arange(8)).square().sum().backward()
    assert gradients == sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    optimizer.step()
    held = getattr(optimizer, "optimizer", optimizer).state
    assert states == pytest.approx(bytes_of(held), rel=0.01)


@pytest.mark.parametrize("name", ["torch.optim:SGD", "torch.optim:Adagrad", "torch.optim:AdamW", "timm.optim:Muon"])
def test_the_states_of_a_named_optimizer_take_what_was_foretold(name: str) -> None:
    pytest.importorskip(name.partition(".")[0])
    import torch
    from torch import nn

    from adapt_core.nn.named.optimizers import named_optimizer

    options = {"momentum": 0.9} if "SGD" in name else {}
    training = TrainingParams(optimizer=name, optimizer_options=options or None)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.Flatten(), nn.Linear(144, 256), nn.Linear(256, 128), nn.LayerNorm(128)
    )
    _, states = training_bytes(model, training)
    made, arguments = named_optimizer(name, training.lr, training.weight_decay, options)
    optimizer = made(model.parameters(), **arguments)
    model(torch.randn(2, 3, 5, 5)).square().sum().backward()
    optimizer.step()
    assert states == pytest.approx(bytes_of(optimizer.state), rel=0.01)
