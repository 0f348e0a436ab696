"""Each kind of job in two processes against one process with twice the batch: gradients, weights, losses, metrics.

Dropout and augmentation are off and no statistics of batches are kept, so that nothing but the order of sums differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.result import RunResult

from . import jobs
from .one_process import alone

Run = Callable[..., RunResult]
COUNTED = ("accuracy", "macro_f1", "token_accuracy", "top5_accuracy", "AP", "AP50", "AP75")

CASES = [
    pytest.param(jobs.text_classification, {"method": "full"}, id="text classification, full"),
    pytest.param(jobs.text_classification, {"method": "LoRA"}, id="text classification, LoRA"),
    pytest.param(jobs.text_classification, {"method": "SSF"}, id="text classification, SSF"),
    pytest.param(jobs.text_generation, {"method": "full"}, id="text generation"),
    pytest.param(jobs.image_classification, {"method": "full"}, id="image classification"),
    pytest.param(jobs.object_detection, {"method": "full", "LR": 1e-3}, id="object detection"),
]


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of the saved model, by name."""
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def first_gradients(folder: Path, beta1: float = 0.9) -> torch.Tensor:
    """The gradients of the first global batch in one row: Adam's first mean holds (1 - beta1) of them."""
    checkpoint = folder / "checkpoints" / "checkpoint-1"
    hf = checkpoint / "optimizer.pt"
    state: Mapping[str, Any] = torch.load(hf if hf.is_file() else checkpoint / "state.pt", weights_only=True)
    state = state if hf.is_file() else state["optimizer"]
    means = [state["state"][number]["exp_avg"] for number in sorted(state["state"])]
    return torch.cat([mean.flatten() for mean in means]).double() / (1 - beta1)


@pytest.mark.slow
@pytest.mark.parametrize(("job", "changes"), CASES)
def test_gradients_weights_losses_and_counts_are_those_of_one_process(
    keys: dict[str, Any],
    ended: Run,
    inbox: Path,
    tmp_path: Path,
    job: Callable[[Path, Path], dict[str, Any]],
    changes: dict[str, Any],
) -> None:
    if changes["method"] != "full":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    keys = {**keys, **job(tmp_path, inbox), **changes, "MAX_STEPS": 20, "EPOCHS": 5, "MAX_GRAD_NORM": 0}
    steps = {**keys, "INTERVAL": "no", "OUTPUT_DIR": str(tmp_path / "sgd")}
    result, single = ended(steps), alone(steps, tmp_path / "sgd alone")
    for before, theirs in ((result.metrics["before"], single.metrics["before"]),):
        assert before is not None
        assert theirs is not None
        counts = [name for name in before if name in COUNTED]
        assert [before[name] for name in counts] == [theirs[name] for name in counts]
    ours, other = weights(tmp_path / "sgd"), weights(tmp_path / "sgd alone")
    assert set(ours) == set(other)
    assert max(float((ours[name] - other[name]).abs().max()) for name in ours) <= 1e-5

    adam = {
        **keys,
        "OPTIMIZER": "adamw_torch",
        "LR": 1e-3,
        "INTERVAL": "steps",
        "INTERVAL_STEPS": 1,
        "NO_OF_CHECKPOINTS": 20,
        "MAX_EVAL_SAMPLES": 4,
        "OUTPUT_DIR": str(tmp_path / "adam"),
    }
    ended(adam)
    alone(adam, tmp_path / "adam alone")
    mine, whole = first_gradients(tmp_path / "adam"), first_gradients(tmp_path / "adam alone")
    assert float((mine - whole).norm() / whole.norm()) <= 1e-6
    assert len(losses(tmp_path / "adam")) == 20
    assert losses(tmp_path / "adam") == pytest.approx(losses(tmp_path / "adam alone"), abs=1e-3)
