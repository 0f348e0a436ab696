"""Weight decay reaches matrices alone: vectors have no reason to be near zero."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from adapt_core.nn.weight_decay import keep_scales

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")


class Mixed(nn.Module):
    """Every kind of parameter: matrices, norms of all kinds, a scale and a shift, a magnitude, adapters."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.batch = nn.BatchNorm2d(4)
        self.group = nn.GroupNorm(2, 4)
        self.layer = nn.LayerNorm(4)
        self.linear = nn.Linear(4, 1)
        self.embedding = nn.Embedding(9, 4)
        self.scale = nn.Parameter(nn.init.ones_(nn.Linear(1, 4).bias))
        self.magnitude = nn.Parameter(nn.init.ones_(nn.Linear(1, 4).bias))
        self.broadcast = nn.Parameter(torch.full((1, 4, 1, 1), 0.1))
        self.ia3_l = nn.ParameterDict({"default": nn.Parameter(torch.ones(4, 1))})
        self.lora_b = nn.ParameterDict({"default": nn.Parameter(torch.zeros(4, 1))})


def test_only_matrices_decay(tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments

    from adapt_core.hf.loop.trainer import instrumented

    model = Mixed()
    keep_scales(model, ["ia3_l.default", "lora_b.default"])
    nn.init.constant_(model.ia3_l["default"], 1.3)  # as after a resume
    trainer = instrumented(Trainer)(
        model=model, args=TrainingArguments(output_dir=str(tmp_path), weight_decay=0.1, use_cpu=True)
    )
    trainer.create_optimizer()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay = {names[id(p)]: group["weight_decay"] for group in trainer.optimizer.param_groups for p in group["params"]}
    assert {name for name, value in decay.items() if value} == {
        "convolution.weight",
        "linear.weight",
        "embedding.weight",
        "lora_b.default",
    }
    assert len(decay) == len(names)
