"""Whether a built loop does what was asked for: accelerate falls back to something else without a warning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import distributed, nn
from torch.distributed import HashStore  # type: ignore[attr-defined]

from adapt_core.contracts import Loop, ParallelStrategy, TrainResult
from adapt_core.distributed.world import World
from adapt_core.errors import DefectError

from adapt_fsdp.ddp import Ddp
from adapt_fsdp.fsdp import Fsdp
from adapt_fsdp.params import DdpParams, FsdpParams

ONE = World(rank=0, local_rank=0, size=1, device="cpu")
TWO = World(rank=0, local_rank=0, size=2, device="cpu")


class OwnLoop(Loop):
    """A third party's loop: three steps of SGD, without a Trainer. It shards its model where `shards` is set."""

    def __init__(self, strategy: ParallelStrategy | None = None, *, shards: bool) -> None:
        from torch.distributed.fsdp import fully_shard

        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        self.strategy = strategy
        if strategy is not None:
            strategy.setup(self)
        if shards:
            fully_shard(self.model)

    def evaluate(self, split: torch.Tensor) -> dict[str, float]:
        if self.strategy is not None:
            self.strategy.prepare_evaluation(self)
        with torch.no_grad():
            return {"loss": float(self.model(split).square().mean())}

    def train(self, resume_from: Path | None) -> TrainResult:
        if self.strategy is not None:
            self.strategy.prepare_training(self)
            self.strategy.check_step(self.model)
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        for _ in range(3):
            self.model(torch.ones(2, 4)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        return TrainResult(steps=3, seconds=0.0, samples_per_second=0.0)

    def unwrap_model(self) -> nn.Module:
        return self.model


@pytest.fixture
def loop(tiny_encoder: Path, tmp_path: Path) -> Any:
    """A loop around a real Trainer of one process, on the CPU."""
    from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

    model = AutoModelForSequenceClassification.from_pretrained(tiny_encoder)
    trainer = Trainer(model=model, args=TrainingArguments(output_dir=str(tmp_path), use_cpu=True))
    return SimpleNamespace(trainer=trainer, unwrap_model=lambda: model)


@pytest.fixture
def process_group() -> Iterator[None]:
    """A process group of this process alone, in which a model can be sharded."""
    distributed.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_a_trainer_that_does_not_shard_is_refused_under_fsdp(loop: Any) -> None:
    with pytest.raises(DefectError, match=r"FSDP was asked for, and accelerate would train with DistributedType\.NO"):
        Fsdp(FsdpParams(use_cpu=True)).verify(loop, TWO)


def test_a_trainer_of_fewer_processes_is_refused_under_ddp(loop: Any) -> None:
    with pytest.raises(DefectError, match="trains in 1 processes instead of 2"):
        Ddp(DdpParams(use_cpu=True)).verify(loop, TWO)


def test_a_loop_without_a_trainer_that_does_not_shard_is_refused_under_fsdp() -> None:
    with pytest.raises(DefectError, match=r"OwnLoop does not shard the model: it has no transformers Trainer"):
        Fsdp(FsdpParams(use_cpu=True)).verify(OwnLoop(shards=False), TWO)


def test_a_loop_without_a_trainer_passes_under_ddp() -> None:
    Ddp(DdpParams(use_cpu=True)).verify(OwnLoop(shards=False), TWO)


@pytest.mark.usefixtures("process_group")
def test_a_loop_that_shards_its_own_model_trains_and_its_model_is_gathered() -> None:
    launcher = Fsdp(FsdpParams(use_cpu=True))
    strategy = launcher.parallel_strategy(ONE)
    own, plain = OwnLoop(strategy, shards=True), OwnLoop(shards=False)
    launcher.verify(own, ONE)
    inputs = torch.ones(1, 4)
    assert own.evaluate(inputs) == pytest.approx(plain.evaluate(inputs))
    own.train(None)
    plain.train(None)
    gathered = strategy.gather_model(own.unwrap_model())
    assert type(gathered) is nn.Sequential
    expected = plain.model.state_dict()
    assert gathered.state_dict().keys() == expected.keys()
    for name, tensor in gathered.state_dict().items():
        assert type(tensor) is torch.Tensor
        torch.testing.assert_close(tensor, expected[name])


@pytest.mark.usefixtures("process_group")
def test_a_loop_whose_complete_model_could_not_be_gathered_is_refused_before_training() -> None:
    launcher = Fsdp(FsdpParams(use_cpu=True))
    strategy = launcher.parallel_strategy(ONE)
    with pytest.raises(DefectError, match=r"OwnLoop sharded the model before it called `job.strategy.setup\(loop\)`"):
        launcher.verify(OwnLoop(shards=True), ONE)
    with pytest.raises(DefectError, match="cannot be gathered"):
        strategy.gather_model(nn.Linear(2, 2))


def test_a_model_that_would_train_apart_is_refused_at_its_first_step() -> None:
    from adapt_core.distributed.replicated import Replicated

    model = nn.Linear(2, 2)
    with pytest.raises(DefectError, match="the processes would train separate models"):
        Replicated(TWO).check_step(model)
    with pytest.raises(DefectError, match="the model that trains is not sharded"):
        Fsdp(FsdpParams(use_cpu=True)).parallel_strategy(TWO).check_step(model)
    Replicated(ONE).check_step(model)
