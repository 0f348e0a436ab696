"""A run that goes on in another number of processes: the same global batch, and the weights of an unbroken run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.result import RunResult

Start = Callable[..., Any]
Ended = Callable[..., RunResult]

LAUNCHERS = {
    "ddp": ({}, {"num_processes": 1}),
    "ddp, one process without a launcher": ({}, {"DDP": False, "num_processes": None, "use_cpu": None}),
    "fsdp": ({"DDP": False, "FSDP": True}, {"DDP": False, "FSDP": True, "num_processes": 1}),
}


def relative_difference(one: Path, two: Path) -> float:
    """The largest of all tensors; those whose gradients are zero but for rounding (biases of keys) are no measure."""
    from safetensors.torch import load_file

    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (one, two))
    assert set(first) == set(second)
    return max(float((first[name] - second[name]).norm() / second[name].norm().clamp(min=1e-6)) for name in first)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_then_one_then_two_make_the_model_of_two(
    keys: dict[str, Any], start: Start, ended: Ended, tmp_path: Path, launcher: str
) -> None:
    """60 rows in batches of 8: two processes fill the last step up with first rows, and one must do so too."""
    together, alone = LAUNCHERS[launcher]
    keys = {**keys, "EPOCHS": 3, "MAX_TRAIN_SAMPLES": 60, "INTERVAL": "no", **together}
    whole = ended({**keys, "OUTPUT_DIR": str(tmp_path / "whole")})
    assert whole.steps == 12
    for changes, steps in ((together, 3), (alone, 4)):
        changed = {key: value for key, value in {**keys, **changes}.items() if value is not None}
        code, errors = start({**changed, "STOP_AFTER": f"{steps} steps"}, "--resume").end()
        assert code == 130, errors
    result = ended(keys, "--resume")
    assert result.steps == 12
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert "2 batches in a step of each process" in log
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["phase"] == "train"] == list(range(1, 13))
    assert relative_difference(tmp_path / "run", tmp_path / "whole") <= 1e-6
    assert result.metrics["after"] == pytest.approx(whole.metrics["after"], rel=1e-6)
