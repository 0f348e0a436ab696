"""Whether a built trainer does what was asked for: accelerate falls back to something else without a word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapt_core.distributed.world import World
from adapt_core.errors import DefectError

from adapt_fsdp.ddp import Ddp
from adapt_fsdp.fsdp import Fsdp
from adapt_fsdp.params import DdpParams, FsdpParams

TWO = World(rank=0, local_rank=0, size=2, device="cpu")


@pytest.fixture
def loop(tiny_encoder: Path, tmp_path: Path) -> Any:
    """A loop around a real Trainer of one process, on the CPU."""
    from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

    model = AutoModelForSequenceClassification.from_pretrained(tiny_encoder)
    trainer = Trainer(model=model, args=TrainingArguments(output_dir=str(tmp_path), use_cpu=True))
    return SimpleNamespace(trainer=trainer, unwrap_model=lambda: model)


def test_a_trainer_that_does_not_shard_is_refused_under_fsdp(loop: Any) -> None:
    with pytest.raises(DefectError, match=r"FSDP was asked for, and accelerate would train with DistributedType\.NO"):
        Fsdp(FsdpParams(use_cpu=True)).verify(loop, TWO)


def test_a_trainer_of_fewer_processes_is_refused_under_ddp(loop: Any) -> None:
    with pytest.raises(DefectError, match="trains in 1 processes instead of 2"):
        Ddp(DdpParams(use_cpu=True)).verify(loop, TWO)
