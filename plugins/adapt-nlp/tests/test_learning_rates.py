"""The learning rate of each step, by each schedule of the loop of Hugging Face models."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

LR, STEPS = 0.01, 8


def _linear(k: int) -> float:
    return 1 - k / STEPS


def _cosine(k: int) -> float:
    return (1 + math.cos(math.pi * k / STEPS)) / 2


@pytest.fixture
def steps() -> Iterator[list[float]]:
    """The rate of every step of any optimizer."""
    seen: list[float] = []

    def see(optimizer: torch.optim.Optimizer, *_: object) -> None:
        seen.append(float(optimizer.param_groups[0]["lr"]))

    handle = register_optimizer_step_pre_hook(see)
    yield seen
    handle.remove()


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        ({}, _linear),
        ({"SCHEDULER_TYPE": "constant", "WARMUP_ITERS": 4}, lambda k: 1.0),
        ({"SCHEDULER_TYPE": "constant_with_warmup"}, lambda k: 1.0),
        ({"SCHEDULER_TYPE": "constant_with_warmup", "WARMUP_ITERS": 4}, lambda k: min(k / 4, 1)),
        ({"SCHEDULER_TYPE": "constant_with_warmup", "WARMUP_ITERS": 4, "WARMUP_RATIO": 0.9}, lambda k: min(k / 4, 1)),
        ({"SCHEDULER_TYPE": "linear", "WARMUP_ITERS": 4}, lambda k: k / 4 if k < 4 else (8 - k) / 4),
        ({"SCHEDULER_TYPE": "linear", "WARMUP_RATIO": 0.5}, lambda k: k / 4 if k < 4 else (8 - k) / 4),
        ({"SCHEDULER_TYPE": "cosine"}, _cosine),
        ({"SCHEDULER_TYPE": "cosine_with_restarts"}, _cosine),
        ({"SCHEDULER_TYPE": "polynomial"}, lambda k: (1 - 1e-5) * _linear(k) + 1e-5),
    ],
    ids=str,
)
def test_each_step_has_its_rate(
    run: Any, steps: list[float], tmp_path: Path, changes: dict[str, Any], factor: Callable[[int], float]
) -> None:
    run(BATCH_SIZE=16, EPOCHS=2, LR=LR, LOGGING_STEPS=1, do_eval=False, **changes)
    expected = [LR * factor(k) for k in range(STEPS)]
    assert steps == pytest.approx(expected, abs=1e-9)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    logged = [line["learning_rate"] for line in lines if line["phase"] == "train"]
    assert logged == pytest.approx(expected, abs=1e-9)


def test_a_schedule_counts_updates_where_batches_are_accumulated(run: Any, steps: list[float]) -> None:
    """4 batches in an epoch, 3 an update, and a short one at the end of each of 2 epochs: 4 updates."""
    run(BATCH_SIZE=16, EPOCHS=2, LR=LR, GRADIENT_ACCUMULATION_STEPS=3, WARMUP_ITERS=2, do_eval=False)
    assert steps == pytest.approx([LR * factor for factor in (0, 0.5, 1, 0.5)])


@pytest.fixture
def groups() -> Iterator[list[set[float]]]:
    """The rates of all groups at each step of any optimizer, as shares of LR."""
    seen: list[set[float]] = []

    def see(optimizer: torch.optim.Optimizer, *_: object) -> None:
        seen.append({round(float(group["lr"]) / LR, 6) for group in optimizer.param_groups})

    handle = register_optimizer_step_pre_hook(see)
    yield seen
    handle.remove()


@pytest.mark.parametrize(
    ("changes", "shares"),
    [
        ({"LAYER_LR_DECAY": 0.5}, {1.0, 0.5, 0.25, 0.125}),
        ({"HEAD_LR": LR / 4}, {1.0, 0.25}),
        ({"HEAD_LR": 2 * LR, "LAYER_LR_DECAY": 0.5}, {2.0, 0.5, 0.25, 0.125}),
        ({"HEAD_LR": LR / 4, "method": "last_layer"}, {0.25}),
    ],
    ids=str,
)
def test_parameters_have_the_rates_of_their_depth(
    run: Any, groups: list[set[float]], tmp_path: Path, changes: dict[str, Any], shares: set[float]
) -> None:
    run(SCHEDULER_TYPE="constant", LR=LR, LOGGING_STEPS=1, do_eval=False, **changes)
    assert len(groups) == 4
    assert all(one == shares for one in groups)


def test_rates_by_depth_follow_the_schedule_and_survive_a_resume(run: Any, groups: list[set[float]]) -> None:
    keys = {"SCHEDULER_TYPE": "linear", "LAYER_LR_DECAY": 0.5, "do_eval": False, "INTERVAL": "steps"}
    keys |= {"INTERVAL_STEPS": 1, "LR": LR}
    run(**keys)
    whole = list(groups)
    assert whole[2] == {0.5, 0.25, 0.125, 0.0625}
    groups.clear()
    from adapt_core.errors import InterruptedRunError

    with pytest.raises(InterruptedRunError):
        run(**keys, OVERWRITE_OUTPUT_DIR=True, STOP_AFTER="2 steps")
    run(resume=True, **keys)
    assert groups == whole


def test_adapters_learn_at_the_rates_of_the_blocks_they_are_in(run: Any, groups: list[set[float]]) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    run(SCHEDULER_TYPE="constant", LR=LR, do_eval=False, method="LoRA", LAYER_LR_DECAY=0.5, HEAD_LR=3 * LR)
    assert groups[0] == {3.0, 0.5, 0.25}


def test_a_language_model_without_a_trained_head_has_no_rate_for_one(run: Any, tiny_llama: Path, inbox: Path) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    from adapt_core.errors import InputError

    with pytest.raises(InputError, match="HEAD_LR: no head trains"):
        run(TASK="text_generation", MODEL_PATH=str(tiny_llama), method="LoRA", HEAD_LR=0.1)
