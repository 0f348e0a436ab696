"""STEP_IN_BACKWARD: the same steps with few gradients at a time; here with one, and with some."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
import torch

import adapt_core
from adapt_core import api
from adapt_core.config import backward_steps
from adapt_core.contracts import Job
from adapt_core.errors import InputError
from adapt_core.hf.loop.backward_steps import BackwardStepCallback
from adapt_core.hf.loop.loop import HuggingFaceLoop

Keys = dict[str, Any]

STEPS = {
    "MAX_GRAD_NORM": 0,
    "EPOCHS": 2,
    "INTERVAL": "steps",
    "INTERVAL_STEPS": 3,
    "LOGGING_STEPS": 1,
    "WEIGHT_DECAY": 0.1,
    "WARMUP_ITERS": 2,
}
"""Eight steps of 16 rows, with a checkpoint at the third and at the sixth."""


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backward_steps, "HELD_BYTES", 0)


def weights(folder: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(next((Path(folder) / "model").rglob("*.safetensors")))


def figures(folder: str) -> list[tuple[str, float]]:
    """Return loss, learning rate and norm of the gradients of each step, and all evaluations."""
    lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    kept = [line for line in lines if line["phase"] in ("train", "eval")]
    return [(name, value) for line in kept for name, value in sorted(line.items()) if isinstance(value, float)]


def assert_same(ours: str, ordinary: str) -> None:
    found = weights(ours)
    expected = weights(ordinary)
    assert found.keys() == expected.keys()
    different = [name for name, tensor in expected.items() if not torch.equal(found[name], tensor)]
    assert different == []


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of the model's gradients whenever one was computed."""
    counts: list[int] = []
    original = HuggingFaceLoop.__init__

    def watched(loop: HuggingFaceLoop, job: Job, *arguments: Any) -> None:
        parameters = list(job.model.parameters())

        def count(_: torch.Tensor) -> None:
            grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
            counts.append(sum(grad.untyped_storage().nbytes() for grad in grads))

        for parameter in parameters:
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(count)
        original(loop, job, *arguments)

    monkeypatch.setattr(HuggingFaceLoop, "__init__", watched)
    return counts


SLOW = ["rmsprop", "adagrad", "lion_8bit"]
OPTIMIZERS = [
    "adamw_torch",
    "sgd",
    "adafactor",
    "adamw_8bit",
    *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_losses_and_norms_are_the_same(
    optimizer: str, run: Callable[..., Any], tmp_path: Path, held: list[int]
) -> None:
    if optimizer.endswith("8bit") and find_spec("bitsandbytes") is None:
        pytest.skip("needs bitsandbytes")
    changes = {**STEPS, "OPTIMIZER": optimizer}
    plain = run(**changes, OUTPUT_DIR=str(tmp_path / "plain"), STEP_IN_BACKWARD=False)
    every_one = max(held)
    held.clear()
    ours = run(**changes, OUTPUT_DIR=str(tmp_path / "ours"))
    assert figures(ours.output_dir) == figures(plain.output_dir)
    assert_same(ours.output_dir, plain.output_dir)
    assert ours.training_check == plain.training_check
    sizes = [tensor.nbytes for tensor in weights(plain.output_dir).values()]
    assert (max(held), every_one) == (max(sizes), sum(sizes))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(None, None, marks=pytest.mark.slow),
        (None, False),
        pytest.param(False, None, marks=pytest.mark.slow),
    ],
)
def test_a_run_resumed_in_the_middle_ends_the_same(
    first: bool | None, second: bool | None, run: Callable[..., Any], tmp_path: Path
) -> None:
    """Checkpoints are those of an ordinary optimizer: either kind of run goes on from the other's."""
    whole = run(**STEPS, OUTPUT_DIR=str(tmp_path / "whole"), STEP_IN_BACKWARD=False)
    cut = run(**STEPS, OUTPUT_DIR=str(tmp_path / "cut"), STEP_IN_BACKWARD=first)
    middle = str(Path(cut.output_dir) / "checkpoints" / "checkpoint-3")
    resumed = run(**STEPS, OUTPUT_DIR=str(tmp_path / "on"), RESUME_FROM_CHECKPOINT=middle, STEP_IN_BACKWARD=second)
    assert_same(resumed.output_dir, whole.output_dir)


def test_it_is_off_where_gradients_are_clipped_or_accumulated(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    original = BackwardStepCallback.on_train_begin

    def noted(callback: BackwardStepCallback, *arguments: Any, **options: Any) -> None:
        used.append(1)
        original(callback, *arguments, **options)

    monkeypatch.setattr(BackwardStepCallback, "on_train_begin", noted)
    run(OUTPUT_DIR=str(tmp_path / "clipped"))
    run(OUTPUT_DIR=str(tmp_path / "accumulated"), MAX_GRAD_NORM=0, GRADIENT_ACCUMULATION_STEPS=2)
    assert used == []
    run(OUTPUT_DIR=str(tmp_path / "free"), MAX_GRAD_NORM=0, STEP_IN_BACKWARD=True)
    assert used == [1]


GENERATION: dict[str, Keys] = {
    "tied head, loss in chunks": {},
    "recomputed blocks": {"GRADIENT_CHECKPOINTING": True},
    "all logits": {"CHUNKED_LOSS": False, "LEAN_LAYERS": False},
    "bfloat16": {"BF16": True},
}
TEXTS = [{"text": f"one two {n} three four five {n * n} six seven"} for n in range(24)]


SLOW_KINDS = ["all logits", "bfloat16"]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in SLOW_KINDS)) for kind in GENERATION]
)
def test_a_tied_head_trains_the_same(kind: str, tiny_llama: Path, tmp_path: Path) -> None:
    keys = {
        "TASK": "text_generation",
        "MODEL_PATH": str(tiny_llama),
        "EPOCHS": 2,
        "BATCH_SIZE": 4,
        "NUM_WORKERS": 0,
        "LR": 1e-2,
        "MAX_GRAD_NORM": 0,
        "LOGGING_STEPS": 1,
        "SAVE_METHOD": "safetensors",
        **GENERATION[kind],
    }
    data = {"train": TEXTS, "validation": TEXTS[:6]}
    plain = adapt_core.run({**keys, "STEP_IN_BACKWARD": False, "OUTPUT_DIR": str(tmp_path / "plain")}, data=data)
    ours = adapt_core.run({**keys, "OUTPUT_DIR": str(tmp_path / "ours")}, data=data)
    assert figures(ours.output_dir) == figures(plain.output_dir)
    assert_same(ours.output_dir, plain.output_dir)


@pytest.mark.parametrize("together", [0, 40_000])
def test_adapt_check_foretells_the_gradients_of_a_real_step(
    together: int, keys: Keys, run: Callable[..., Any], held: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of a run that clips those of all parameters; disk and the other memory stay."""
    monkeypatch.setattr(backward_steps, "HELD_BYTES", together)
    keys["MAX_GRAD_NORM"] = 0
    plan = api.check(keys)
    found, clipped = api.estimate(plan), api.estimate(api.check({**keys, "MAX_GRAD_NORM": 1}))
    assert found.memory is not None
    assert clipped.memory is not None
    run(MAX_GRAD_NORM=0)
    assert found.memory.gradients == pytest.approx(max(held), rel=0.1 if together else 0)
    assert found.disk_bytes == clipped.disk_bytes
    held.clear()
    run(MAX_GRAD_NORM=1, OVERWRITE_OUTPUT_DIR=True)
    assert clipped.memory.gradients == max(held)


def test_several_gradients_that_are_stepped_together_give_the_same(
    run: Callable[..., Any], tmp_path: Path, held: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last few are left to the ordinary step, and to the training check before it."""
    plain = run(**STEPS, OUTPUT_DIR=str(tmp_path / "plain"), STEP_IN_BACKWARD=False)
    every_one = max(held)
    held.clear()
    monkeypatch.setattr(backward_steps, "HELD_BYTES", 40_000)
    ours = run(**STEPS, OUTPUT_DIR=str(tmp_path / "ours"))
    assert figures(ours.output_dir) == figures(plain.output_dir)
    assert_same(ours.output_dir, plain.output_dir)
    assert ours.training_check == plain.training_check
    assert 40_000 <= max(held) < every_one


class SharedUnderReentrantCheckpoints(torch.nn.Module):
    """A layer that three reentrant checkpoints run: its gradient is computed in three parts."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from torch.utils.checkpoint import checkpoint

        for _ in range(3):
            x = checkpoint(self.layer, x, use_reentrant=True)
        return x


def test_a_gradient_in_several_parts_is_an_error() -> None:
    model = SharedUnderReentrantCheckpoints()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    class Check:
        def see_gradients(self) -> None: ...

    callback = BackwardStepCallback(cast("Any", Check()))
    callback.on_train_begin(cast("Any", None), cast("Any", None), cast("Any", None), optimizer=optimizer, model=model)
    with pytest.raises(InputError, match=r"the gradient of layer\.\w+ is computed in several parts"):
        model(torch.ones(2, 3, requires_grad=True)).sum().backward()
