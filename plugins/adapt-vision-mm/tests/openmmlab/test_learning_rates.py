"""The learning rate of each step, by each schedule of the OpenMMLab tasks: 4 epochs of 10 steps at LR 0.1."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from .detectors import PER_EPOCH, lines, rates
from adapt_vision_mm.openmmlab.schedules import schedulers, surprises

LR, STEPS = 0.1, 4 * PER_EPOCH


def cosine(share: float) -> float:
    return LR * (1 + math.cos(math.pi * min(share, 1))) / 2


EXPECTED: dict[str, tuple[dict[str, Any], Callable[[int], float]]] = {
    "linear": ({"SCHEDULER_TYPE": "linear"}, lambda k: LR * (1 - k / 40)),
    "linear between BEGIN and END": (
        {"SCHEDULER_TYPE": "linear", "BEGIN": 1, "END": 3},
        lambda k: LR * (1 - min(max(k - 10, 0), 20) / 20),
    ),
    "linear behind a warm-up": (
        {"SCHEDULER_TYPE": "linear", "WARMUP": True, "WARMUP_ITERS": 8, "WARMUP_RATIO": 0.2},
        lambda k: LR * (0.2 + 0.8 * k / 8 if k < 8 else 1 - (k - 8) / 32),
    ),
    "LinearLR": ({"SCHEDULER_TYPE": "LinearLR"}, lambda k: LR * (1 + 2 * k / 39) / 3),
    "constant": ({"SCHEDULER_TYPE": "constant", "WARMUP_ITERS": 8}, lambda k: LR),
    "constant behind a warm-up": (
        {"SCHEDULER_TYPE": "constant_with_warmup", "WARMUP_ITERS": 8, "WARMUP_RATIO": 0.2},
        lambda k: LR * min(0.2 + 0.8 * k / 8, 1),
    ),
    "a warm-up of one step": (
        {"SCHEDULER_TYPE": "constant", "WARMUP": True, "WARMUP_ITERS": 1, "WARMUP_RATIO": 0.2},
        lambda k: LR * (1 if k else 0.2),
    ),
    "a warm-up longer than the run": (
        {"SCHEDULER_TYPE": "cosine", "WARMUP": True, "WARMUP_ITERS": 80, "WARMUP_RATIO": 0.2},
        lambda k: LR * (0.2 + 0.8 * k / 80),
    ),
    "cosine": ({"SCHEDULER_TYPE": "cosine"}, lambda k: cosine(k / 40)),
    "CosineAnnealingLR": ({"SCHEDULER_TYPE": "CosineAnnealingLR"}, lambda k: cosine(k / 40)),
    "a cosine stays at 0 behind T_MAX": ({"SCHEDULER_TYPE": "cosine", "T_MAX": 2}, lambda k: cosine(k / 20)),
    "a cosine with T_MAX from BEGIN": (
        {"SCHEDULER_TYPE": "CosineAnnealingLR", "BEGIN": 1, "T_MAX": 2},
        lambda k: cosine(max(k - 10, 0) / 20),
    ),
    "a cosine stops at END": ({"SCHEDULER_TYPE": "cosine", "END": 3, "T_MAX": 4}, lambda k: cosine(min(k, 30) / 40)),
    "cosine_with_restarts": (
        {"SCHEDULER_TYPE": "cosine_with_restarts", "T_MAX": 1},
        lambda k: cosine(k % 10 / 10),
    ),
    "polynomial": ({"SCHEDULER_TYPE": "polynomial"}, lambda k: (LR - 1e-7) * (1 - k / 40) + 1e-7),
    "MultiStepLR": (
        {"SCHEDULER_TYPE": "MultiStepLR", "MILESTONES": [1, 3], "GAMMA": 0.5},
        lambda k: LR * 0.5 ** ((k >= 10) + (k >= 30)),
    ),
    "milestones from the beginning of the run, not from BEGIN": (
        {"SCHEDULER_TYPE": "MultiStepLR", "MILESTONES": [2, 3], "GAMMA": 0.5, "BEGIN": 1},
        lambda k: LR * 0.5 ** ((k >= 20) + (k >= 30)),
    ),
    "milestones before BEGIN act at BEGIN": (
        {"SCHEDULER_TYPE": "MultiStepLR", "MILESTONES": [0, 1, 3], "GAMMA": 0.5, "BEGIN": 2},
        lambda k: LR * 0.5 ** (2 * (k >= 20) + (k >= 30)),
    ),
    "milestones inside a warm-up": (
        {"SCHEDULER_TYPE": "MultiStepLR", "MILESTONES": [1, 3], "GAMMA": 0.5, "WARMUP": True, "WARMUP_ITERS": 16},
        lambda k: LR * min(0.1 + 0.9 * k / 16, 1) * 0.5 ** ((k >= 10) + (k >= 30)),
    ),
    "milestones from END on do nothing": (
        {"SCHEDULER_TYPE": "MultiStepLR", "MILESTONES": [1, 3], "GAMMA": 0.5, "END": 3},
        lambda k: LR * 0.5 ** (k >= 10),
    ),
}


@pytest.mark.parametrize(("keys", "expected"), EXPECTED.values(), ids=EXPECTED.keys())
def test_each_step_has_its_rate(plan: Any, keys: dict[str, Any], expected: Callable[[int], float]) -> None:
    assert rates(plan(**keys)) == pytest.approx([expected(k) for k in range(STEPS)], abs=1e-9)


def test_epochs_begin_at_steps_of_the_optimizer_where_batches_are_accumulated(plan: Any) -> None:
    """7 batches in an epoch, 3 a step: epochs begin at steps 0, 2.33, 4.67 and 7, the 28 batches take 10 steps."""
    accumulated = {"per_epoch": Fraction(7, 3), "steps": 10}
    steps = plan(SCHEDULER_TYPE="MultiStepLR", MILESTONES=[1, 3], GAMMA=0.5, GRADIENT_ACCUMULATION_STEPS=3)
    assert rates(steps, **accumulated) == pytest.approx([LR * 0.5 ** ((k >= 3) + (k >= 7)) for k in range(10)])
    linear = plan(SCHEDULER_TYPE="linear", GRADIENT_ACCUMULATION_STEPS=3)
    assert rates(linear, **accumulated) == pytest.approx([LR * (1 - k / 10) for k in range(10)])


def test_a_run_takes_the_rates_of_the_list_where_batches_are_accumulated(run: Any, tmp_path: Any) -> None:
    """16 images in batches of 4, 3 batches a step: 8 batches in 2 epochs are 3 steps, of which the last is short."""
    run(BATCH_SIZE=4, EPOCHS=2, GRADIENT_ACCUMULATION_STEPS=3, WARMUP=True, WARMUP_ITERS=2, WARMUP_RATIO=0.5, LR=0.01)
    seen = [line["learning_rate"] for line in lines(tmp_path / "run", "train")]
    assert seen == pytest.approx([0.005, 0.0075, 0.01])


def test_an_end_of_one_s_own_beyond_epochs_is_said_once(plan: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="adapt_vision_mm")
    for given in (plan(), plan(END=4), plan(END=60)):
        schedulers(given, PER_EPOCH, STEPS)
        surprises(given, PER_EPOCH, STEPS)
    said = [record.message for record in caplog.records if "is beyond EPOCHS" in record.message]
    assert said == ["END 60 is beyond EPOCHS 4: the schedule ends with the run"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"END": 3}, ["the learning rate is 0 from step 30 of 40 on, and nothing is learned there: raise END"]),
        ({"SCHEDULER_TYPE": "cosine", "T_MAX": 1}, ["the learning rate is 0 from step 10 of 40 on, .*: raise T_MAX"]),
        ({"SCHEDULER_TYPE": "cosine", "T_MAX": 9}, []),
        ({"SCHEDULER_TYPE": "constant", "END": 3}, []),
        ({"WARMUP": True, "WARMUP_ITERS": 40}, ["WARMUP_ITERS: 40 steps, and the run has 40: LR is never reached"]),
        ({"SCHEDULER_TYPE": "MultiStepLR", "MILESTONES": [1, 4, 9]}, ["MILESTONES: 4, 9: not before END"]),
        ({}, []),
    ],
)
def test_rates_that_nobody_expects_are_said(plan: Any, keys: dict[str, Any], said: list[str]) -> None:
    found = surprises(plan(**keys), PER_EPOCH, STEPS)
    assert len(found) == len(said)
    for sentence, pattern in zip(found, said, strict=True):
        assert re.search(pattern, sentence)


@pytest.mark.parametrize(("key", "value"), [("HEAD_LR", 4e-4), ("LAYER_LR_DECAY", 0.5)])
def test_a_detector_s_parameters_have_the_rates_of_their_depth(run: Callable[..., Any], key: str, value: float) -> None:
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    seen: list[set[float]] = []

    def see(optimizer: torch.optim.Optimizer, *_: object) -> None:
        seen.append({round(float(group["lr"]) / 4e-3, 6) for group in optimizer.param_groups})

    handle = register_optimizer_step_pre_hook(see)
    try:
        run(SCHEDULER_TYPE="constant", do_eval=False, MAX_STEPS=2, **{key: value})
    finally:
        handle.remove()
    assert 1.0 in seen[0]
    assert (seen[0] == {1.0, 0.1}) if key == "HEAD_LR" else (len(seen[0]) > 2 and max(seen[0]) == 1.0)
