"""A row of a padded batch has the loss that it has by itself, and every gradient is the sum of those of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from adapt_core import api
from adapt_core.distributed.world import World
from adapt_core.execution.components import Components
from adapt_core.execution.pipeline import Run
from adapt_core.execution.preparation import attach_prepared
from adapt_core.hf.loop.loss_items import count_items
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.progress import SilentReporter
from adapt_core.testing.equality import assert_same_gradients, float32_as_float64
from adapt_core.verification.training import TrainingCheck

from .test_uneven_batches import JOBS

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-9}

Batch = Mapping[str, torch.Tensor]


@attrs.frozen
class Learner:
    """The Trainer of a run, and rows of uneven length in the batches that its loop makes of them.

    Attributes:
        trainer: of the run's loop.
        model: that it trains, in evaluation mode: then a loss is the mean of a batch.
        rows: batches of one row, as long as the row.
        together: the batch of all rows, padded to the longest.
    """

    trainer: Any
    model: nn.Module
    rows: list[Batch]
    together: Batch

    def loss(self, batch: Batch) -> tuple[torch.Tensor, Any]:
        """Return the loss of a batch as the loop computes it, and the model's outputs."""
        loss, outputs = self.trainer.compute_loss(self.model, dict(batch), return_outputs=True)
        return loss, outputs

    def gradients(self) -> dict[str, torch.Tensor]:
        """Return the gradient of each parameter, and take it away."""
        named = self.model.named_parameters()
        found = {name: parameter.grad for name, parameter in named if parameter.grad is not None}
        self.model.zero_grad()
        return found


@pytest.fixture(params=["text", "ner", "answers"])
def learner(request: pytest.FixtureRequest, tmp_path: Path) -> Learner:
    """An encoder that classifies texts, tags words or finds answers, with five rows."""
    encoder, row, keys = JOBS[request.param]
    config = {**keys, "MODEL_PATH": str(request.getfixturevalue(encoder)), "OUTPUT_DIR": str(tmp_path / "run")}
    plan = api.check(config, data={"train": [row(number) for number in range(5)], "validation": [row(20)]})
    run = Run(
        plan=plan,
        world=World(),
        components=Components.of(plan),
        registry=Registry.discover(),
        reporter=SilentReporter(),
        decision=ResumeDecision(folder=RunFolder(plan.output_dir)),
    )
    data = run.load_data()
    attached = attach_prepared(plan, run.components, run.load_model(data), data)
    strategy = run.components.launcher.parallel_strategy(run.world)
    loop: Any = run.make_loop(data, attached, TrainingCheck(attached.model, {}, plan.method.name), strategy)
    collate = loop.trainer.data_collator
    examples = [data.train[number] for number in range(len(data.train))]
    rows = [collate([example]) for example in examples]
    assert len({batch["input_ids"].shape[1] for batch in rows}) > 2
    return Learner(loop.trainer, attached.model.eval(), rows, collate(examples))


def losses_of_rows(output: Any, batch: Batch) -> torch.Tensor:
    """Return the loss of each row: of its class, of its tags, or of the ends of its answer among its own tokens."""
    if "start_positions" in batch:
        lengths = batch["attention_mask"].sum(1)
        ends = [(output.start_logits, batch["start_positions"]), (output.end_logits, batch["end_positions"])]
        rows = [zip(logits, places, lengths, strict=True) for logits, places in ends]
        losses = [[cross_entropy(logits[:length], place) for logits, place, length in end] for end in rows]
        return torch.stack([torch.stack(end) for end in losses]).mean(0)
    return torch.stack([cross_entropy(*row) for row in zip(output.logits, batch["labels"], strict=True)])


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_losses_row_by_row_and_every_gradient_are_those_of_the_rows_by_themselves(
    learner: Learner, dtype: torch.dtype
) -> None:
    tolerance = TOLERANCES[dtype]
    learner.model.to(dtype)
    with nullcontext() if dtype == torch.float32 else float32_as_float64(learner.model):
        alone = torch.stack([learner.loss(row)[0] for row in learner.rows])
        items = torch.stack([count_items(row) for row in learner.rows])
        (alone * items / items.sum()).sum().backward()
        expected = learner.gradients()
        loss, output = learner.loss(learner.together)
        loss.backward()
        found = losses_of_rows(output, learner.together)
    torch.testing.assert_close(found, alone, rtol=tolerance, atol=0)
    torch.testing.assert_close(loss, (alone * items / items.sum()).sum(), rtol=tolerance, atol=0)
    assert_same_gradients(learner.gradients(), expected, tolerance)
