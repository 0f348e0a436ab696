"""Each optimizer is the one that trains, with its numbers; a warm-up without end or effect is told.

The rate of each step is tested in test_learning_rates.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from .test_training_parameters import Run, metric_lines


@pytest.fixture
def optimizer_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., torch.optim.Optimizer]:
    """The optimizer that a run really trained with."""
    from adapt_core.hf.loop.loop import HuggingFaceLoop

    seen: list[torch.optim.Optimizer] = []
    train = HuggingFaceLoop.train

    def watch(self: HuggingFaceLoop, resume_from: Path | None) -> Any:
        try:
            return train(self, resume_from)
        finally:
            seen.append(self.trainer.optimizer.optimizer)

    monkeypatch.setattr(HuggingFaceLoop, "train", watch)

    def of(**changes: Any) -> torch.optim.Optimizer:
        run(DO_EVAL=False, INTERVAL="no", OVERWRITE_OUTPUT_DIR=True, **changes)
        return seen[-1]

    return of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw_torch", "AdamW"),
        ("sgd", "SGD"),
        ("adafactor", "Adafactor"),
        ("adamw_8bit", "AdamW"),
        ("paged_adamw_32bit", "AdamW"),
        ("lion_8bit", "Lion"),
    ],
)
def test_each_optimizer_is_the_one_that_trains(optimizer_of: Any, name: str, kind: str) -> None:
    pytest.importorskip("bitsandbytes")
    optimizer = optimizer_of(OPTIMIZER=name)
    assert type(optimizer).__name__ == kind
    assert type(optimizer).__module__.startswith("bitsandbytes") == ("8bit" in name or "32bit" in name)


def test_the_optimizer_gets_its_numbers(optimizer_of: Any) -> None:
    groups = optimizer_of(BETA1=0.8, BETA2=0.7, ADAM_EPS=1e-5, WEIGHT_DECAY=0.03, LR=0.002).param_groups
    assert {group["betas"] for group in groups} == {(0.8, 0.7)}
    assert {group["eps"] for group in groups} == {1e-5}
    assert sorted(group["weight_decay"] for group in groups) == [0.0, 0.03]
    assert {group["initial_lr"] for group in groups} == {0.002}


EACH_STEP = {"DO_EVAL": False, "INTERVAL": "no", "LOGGING_STEPS": 1, "LR": 0.01}


@pytest.mark.parametrize("warmup", [{"WARMUP_ITERS": 4}, {"WARMUP_ITERS": 40}, {"WARMUP_RATIO": 0.9}])
def test_a_warm_up_that_the_run_does_not_end_is_told(run: Run, tmp_path: Path, warmup: dict[str, Any]) -> None:
    [(key, value)] = warmup.items()
    lasting = value if value > 1 else 4  # 0.9 of four steps, rounded up
    result = run(**EACH_STEP, SCHEDULER_TYPE="linear", **warmup)
    rates = [line["learning_rate"] for line in metric_lines(tmp_path / "run", "train")]
    assert rates == pytest.approx([0.01 * step / lasting for step in range(4)])
    assert [warning for warning in result.warnings if key in warning] == [
        f"{key}: the learning rate warms up for {lasting} steps, and the run has 4: it ends at {3 / lasting:.2g} of "
        f"LR. Lower {key}."
    ]


def test_a_warm_up_of_a_constant_rate_is_told_to_be_without_effect(run: Run, tmp_path: Path) -> None:
    result = run(**EACH_STEP, SCHEDULER_TYPE="constant", WARMUP_ITERS=2)
    assert [line["learning_rate"] for line in metric_lines(tmp_path / "run", "train")] == [0.01] * 4
    assert [warning for warning in result.warnings if "WARMUP" in warning] == [
        "SCHEDULER_TYPE: constant has no warm-up, so WARMUP_ITERS is without effect. Choose constant_with_warmup."
    ]
