"""EMA and KEEP: soup in mmengine's loop: the weights that a run is evaluated with, and ends with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core
from adapt_core import api
from adapt_core.errors import ConfigError, InterruptedRunError
from adapt_core.result import RunResult
from adapt_core.run_folder.checkpoints import found, step_of

from .detectors import SMALL_RTMDET

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

Weights = dict[str, torch.Tensor]
STATISTICS = ("running_mean", "running_var")
KEYS = {
    "INTERVAL": "steps",
    "INTERVAL_STEPS": 1,
    "NO_OF_CHECKPOINTS": 99,
    "EPOCHS": 1.5,
    "LR": 2e-3,
    "EMA": 0.5,
    "KEEP": "soup",
}
"""Six steps, a checkpoint at each; detectors find nothing yet, so that all are equally good, and join."""

JOBS: dict[str, dict[str, Any]] = {
    "boxes": {"TASK": "object_detection", "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", "cfg_options": SMALL_RTMDET},
    "masks": {
        "TASK": "instance_segmentation",
        "MODEL_PATH": "rtmdet-ins_tiny_8xb32-300e_coco",
        "cfg_options": SMALL_RTMDET,
    },
    "poses": {
        "TASK": "pose_detection",
        "MODEL_PATH": "rtmpose-t_8xb256-420e_coco-256x192",
        "image_size": None,
        "EPOCHS": 2,
    },
}
EVERY = [pytest.param(name, marks=[] if name == "boxes" else pytest.mark.slow) for name in JOBS]


def saved(folder: Path) -> Weights:
    weights: Weights = torch.load(folder / "model" / "checkpoint.pth", weights_only=True)["state_dict"]
    return weights


def states(folder: Path) -> dict[int, dict[str, Any]]:
    held = {step_of(path): torch.load(path / "state.pt", weights_only=True) for path in found(folder / "checkpoints")}
    return dict(sorted(held.items()))


def trained_on(data: Path, folder: Path, resume: bool = False, of: str = "boxes", **changes: Any) -> RunResult:
    """Run one of the JOBS."""
    keys = {
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(folder),
        "image_size": 96,
        "BATCH_SIZE": 4,
        "NUM_WORKERS": 0,
        "LOGGING_STEPS": 1,
        "EVALUATE_BEFORE": False,
        "VERDICT": "none",
    }
    return adapt_core.run({**keys, **KEYS, **JOBS[of], **changes}, resume=resume)


@pytest.fixture(scope="module")
def data_of(squares: Path, triangles: Path) -> Callable[[str], Path]:
    """Returns the data of one of the JOBS."""

    def find(name: str) -> Path:
        if name == "poses":
            pytest.importorskip("mmpose", reason="needs mmpose (pip install --no-deps mmpose)")
        return triangles if name == "poses" else squares

    return find


@pytest.fixture(scope="module", params=EVERY)
def job(request: pytest.FixtureRequest) -> str:
    """One of the JOBS."""
    return str(request.param)


@pytest.fixture(scope="module")
def whole(job: str, data_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A run with EMA and KEEP: soup, and its result."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, trained_on(data_of(job), folder, of=job)


@pytest.mark.no_gpu
def test_weights_and_statistics_are_averaged_after_each_step(whole: tuple[Path, RunResult]) -> None:
    held = list(states(whole[0]).values())
    assert len(held) == 6
    average: Weights | None = None
    for number, state in enumerate(held, 1):
        kept = min(0.5, (1 + number) / (10 + number))
        found: Weights = state["averages"]
        assert any(name.endswith("running_mean") for name in found)
        if average is not None:
            for name, tensor in found.items():
                expected = kept * average[name].double() + (1 - kept) * state["model"][name].double()
                assert torch.allclose(tensor.double(), expected, rtol=1e-4, atol=1e-6), name
        average = found
    assert not all(torch.allclose(tensor, held[-1]["model"][name]) for name, tensor in held[-1]["averages"].items())


@pytest.mark.no_gpu
def test_the_run_ends_with_the_mean_of_what_the_checkpoints_were_evaluated_with(whole: tuple[Path, RunResult]) -> None:
    folder, result = whole
    assert result.soup is not None
    taken = [states(folder)[step]["averages"] for step in result.soup["steps"]]
    assert len(taken) > 1
    after = saved(folder)
    moved = [name for name in taken[0] if name.endswith(STATISTICS)]
    assert result.soup["batch_norms"] == len(moved) / 2
    for name in taken[0].keys() - set(moved):
        mean = torch.stack([weights[name].double() for weights in taken]).mean(0)
        assert torch.allclose(after[name].double(), mean, rtol=1e-6, atol=1e-7), name
    assert not any(torch.allclose(after[name], weights[name]) for name in moved[:1] for weights in taken)


def test_it_is_never_worse_than_the_best_of_them(whole: tuple[Path, RunResult]) -> None:
    folder, result = whole
    soup, after = result.soup, result.metrics["after"]
    assert soup is not None
    assert after is not None
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    alone = {line["step"]: line[soup["metric"]] for line in lines if line["phase"] == "eval"}
    assert [each["step"] for each in soup["tried"]] == sorted(alone, key=lambda step: (-alone[step], step))
    assert soup["tried"][0]["alone"] == max(alone.values())
    assert after[soup["metric"]] == soup["value"] >= max(alone.values())


@pytest.mark.no_gpu
def test_a_resumed_run_ends_with_the_same_weights(
    whole: tuple[Path, RunResult], job: str, data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(InterruptedRunError):
        trained_on(data_of(job), tmp_path / "run", of=job, STOP_AFTER="3 steps")
    resumed = trained_on(data_of(job), tmp_path / "run", resume=True, of=job)
    folder, result = whole
    assert resumed.soup == result.soup
    assert all(torch.equal(weight, saved(tmp_path / "run")[name]) for name, weight in saved(folder).items())


@pytest.mark.slow
@pytest.mark.parametrize("of", JOBS)
def test_the_best_weights_are_the_average_at_the_best_step(
    of: str, data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    trained_on(data_of(of), tmp_path / "run", of=of, KEEP="best", LR=0.02, METRIC_FOR_BEST="loss")
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    losses = {line["step"]: line["loss"] for line in lines if line["phase"] == "eval"}
    best = states(tmp_path / "run")[min(losses, key=lambda step: losses[step])]
    after = saved(tmp_path / "run")
    assert all(torch.equal(average, after[name]) for name, average in best["averages"].items())


@pytest.mark.slow
def test_training_goes_on_as_without_averages(
    whole: tuple[Path, RunResult], job: str, data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    trained_on(data_of(job), tmp_path / "run", of=job, KEEP="last", EMA=None)
    plain, averaged = states(tmp_path / "run"), states(whole[0])
    assert plain.keys() == averaged.keys()
    for step, state in plain.items():
        assert all(torch.equal(weight, averaged[step]["model"][name]) for name, weight in state["model"].items())
    assert not all(torch.equal(weight, saved(whole[0])[name]) for name, weight in saved(tmp_path / "run").items())


@pytest.mark.slow
def test_a_soup_without_averages_is_of_the_trained_weights(
    job: str, data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    result = trained_on(data_of(job), tmp_path / "run", of=job, EMA=None)
    assert result.soup is not None
    taken = [states(tmp_path / "run")[step]["model"] for step in result.soup["steps"]]
    after = saved(tmp_path / "run")
    weights = [name for name in taken[0] if taken[0][name].is_floating_point() and not name.endswith(STATISTICS)]
    for name in weights:
        mean = torch.stack([state[name].double() for state in taken]).mean(0)
        assert torch.allclose(after[name].double(), mean, rtol=1e-6, atol=1e-7), name


def test_evaluations_are_needed(squares: Path, tmp_path: Path) -> None:
    keys = {"TASK": "object_detection", "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco", "OUTPUT_DIR": str(tmp_path / "r")}
    with pytest.raises(ConfigError, match=r"needs evaluations while training"):
        api.check({**keys, "CUSTOM_DATASET_PATH": str(squares), "KEEP": "soup", "INTERVAL": "no"})
