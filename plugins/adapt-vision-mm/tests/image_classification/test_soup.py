"""KEEP: soup of a network with batch norms, whose statistics are estimated again on training images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapt_core.errors import InterruptedRunError

Run = Callable[..., Any]
SOUP = {
    "KEEP": "soup",
    "INTERVAL": "steps",
    "INTERVAL_STEPS": 1,
    "EPOCHS": 2,
    "NO_OF_CHECKPOINTS": 6,
    "METRIC_FOR_BEST": "loss",
}


def saved(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def test_statistics_are_those_of_training_images_under_the_averaged_weights(run: Run, tmp_path: Path) -> None:
    result = run(**SOUP)
    assert len(result.soup["steps"]) > 1
    folders = [tmp_path / "run" / "checkpoints" / f"checkpoint-{step}" for step in result.soup["steps"]]
    taken = [load_file(folder / "model.safetensors") for folder in folders]
    after = saved(tmp_path / "run")
    prefix = next(name for name in taken[0] if name.endswith("conv1.weight") or name.endswith("conv1.0.weight"))
    prefix = prefix[: prefix.index("conv1")]
    moved = [name for name in taken[0] if name.endswith("running_mean")]
    assert result.soup["batch_norms"] == len(moved) > 0
    for name, tensor in after.items():
        mean = torch.stack([weights[prefix + name].double() for weights in taken]).mean(0)
        if "running" not in name and tensor.is_floating_point():
            assert torch.allclose(tensor.double(), mean, rtol=1e-6, atol=1e-7), name
    # The statistics of a few steps still have much of the zeros and ones that they began with.
    name = moved[0].removeprefix(prefix)
    assert after[name].abs().mean() > 1.5 * torch.stack([weights[moved[0]] for weights in taken]).abs().mean()


@pytest.mark.parametrize("stop", ["2 steps", "6 steps"])
def test_a_resumed_run_ends_with_the_same_statistics(run: Run, tmp_path: Path, stop: str) -> None:
    whole = run(**SOUP, OUTPUT_DIR=str(tmp_path / "whole"))
    with pytest.raises(InterruptedRunError):
        run(**SOUP, STOP_AFTER=stop)
    resumed = run(**SOUP, resume=True)
    assert resumed.soup == whole.soup
    assert all(torch.equal(weight, saved(tmp_path / "run")[name]) for name, weight in saved(tmp_path / "whole").items())
