"""Each kind of job in two processes against one process with twice the batch: gradients, weights, losses, metrics.

Dropout and augmentation are off and no statistics of batches are kept, so that nothing but the order of sums differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from . import jobs
from .deferred_calls import noted
from .reference_runs import alone, together

COUNTED = ("accuracy", "macro_f1", "token_accuracy", "top5_accuracy", "mAP", "AP50", "AP75")

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "text classification, full": (jobs.text_classification, {"method": "full"}),
    "text classification, LoRA": (jobs.text_classification, {"method": "LoRA", "dropout": 0}),
    "text classification, last_layer": (jobs.text_classification, {"method": "last_layer"}),
    "text classification, SSF": (jobs.text_classification, {"method": "SSF"}),
    "text classification, several labels": (jobs.several_labels, {"method": "full"}),
    "text generation": (jobs.text_generation, {"method": "full"}),
    "image classification": (jobs.image_classification, {"method": "full"}),
    "object detection": (jobs.object_detection, {"method": "full", "LR": 1e-3}),
}
OTHERWISE = {"object detection, RTMDet": (jobs.detection_by_rtmdet, {"method": "full", "LR": 1e-3})}
"""What does not equal one process, and how it differs has a test of its own."""

SGD = {"MAX_STEPS": 20, "EPOCHS": 5, "MAX_GRAD_NORM": 0, "INTERVAL": "no"}
ADAM = {
    **SGD,
    "OPTIMIZER": "adamw_torch",
    "LR": 1e-3,
    "INTERVAL": "steps",
    "INTERVAL_STEPS": 1,
    "NO_OF_CHECKPOINTS": 20,
    "MAX_EVAL_SAMPLES": 4,
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def needs(case: str) -> None:
    """Skips a case whose plugins are not here."""
    if case.endswith(("LoRA", "SSF")):
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    if case == "image classification":
        pytest.importorskip("adapt_vision_mm", reason="needs adapt-vision-mm")
    if case.startswith("object detection"):
        pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")


@pytest.fixture(scope="module")
def configs(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, inbox: Path
) -> dict[str, list[dict[str, Any]]]:
    """Case -> its two configs, with SGD and with AdamW, which have been run in two processes."""
    folder = tmp_path_factory.mktemp("ddp")
    made: dict[str, list[dict[str, Any]]] = {}
    for case, (job, changes) in {**CASES, **OTHERWISE}.items():
        try:
            needs(case)
        except pytest.skip.Exception:
            continue
        home = folder / case.replace(", ", "-").replace(" ", "-")
        home.mkdir()
        plain = {**jobs.in_two_processes(tiny_encoder, inbox, home), **job(home, inbox)}
        made[case] = [
            {**plain, **SGD, **changes, "OUTPUT_DIR": str(home / "sgd")},
            {**plain, **changes, **ADAM, "OUTPUT_DIR": str(home / "adam")},
        ]
    together([config for pair in made.values() for config in pair], folder)
    return made


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


@pytest.mark.parametrize("case", CASES)
def test_metrics_and_weights_are_those_of_one_process(configs: dict[str, list[dict[str, Any]]], case: str) -> None:
    """The same weights are measured alike, to the last count; after 20 steps of SGD the weights are the same."""
    needs(case)
    config = configs[case][0]
    folder = Path(config["OUTPUT_DIR"])
    other = folder.with_name("sgd-alone")
    single = alone(config, other)
    before = json.loads((folder / "result.json").read_text())["metrics"]["before"]
    assert single.metrics["before"] is not None
    shared = [name for name in COUNTED if name in before]
    assert shared
    assert [before[name] for name in shared] == [single.metrics["before"][name] for name in shared]
    ours, theirs = weights(folder), weights(other)
    assert set(ours) == set(theirs)
    difference = max(float((ours[name] - theirs[name]).abs().max()) for name in ours)
    print(case, "weights", difference)
    assert difference <= 1e-5


@pytest.mark.parametrize("case", CASES)
def test_gradients_and_losses_are_those_of_one_process(configs: dict[str, list[dict[str, Any]]], case: str) -> None:
    needs(case)
    config = configs[case][1]
    folder = Path(config["OUTPUT_DIR"])
    other = folder.with_name("adam-alone")
    alone(config, other)
    mine, whole = first_gradients(folder), first_gradients(other)
    difference = float((mine - whole).norm() / whole.norm())
    print(case, "gradients", difference)
    assert difference <= 1e-6
    assert len(losses(folder)) == 20
    assert losses(folder) == pytest.approx(losses(other), rel=1e-3, abs=1e-3)


def test_a_language_model_computes_no_logits_in_any_process(configs: dict[str, list[dict[str, Any]]]) -> None:
    for config in configs["text generation"]:
        for rank in range(2):
            calls = noted(Path(config["OUTPUT_DIR"]), rank)
            assert calls["deferred"] >= 20  # one for each step, and those of evaluations
            assert "computed" not in calls


def test_rtmdet_s_first_gradients_are_one_process_s_halved(configs: dict[str, list[dict[str, Any]]]) -> None:
    """Each process divides by its share of the matches' quality, but never by less than 1, as one process does.

    While the model knows nothing the sum is below 1, so the mean of two processes' gradients is half of one's.
    """
    needs("object detection")
    config = configs["object detection, RTMDet"][1]
    other = Path(config["OUTPUT_DIR"]).with_name("adam-alone")
    alone(config, other)
    mine, whole = first_gradients(Path(config["OUTPUT_DIR"])), first_gradients(other)
    assert float((2 * mine - whole).norm() / whole.norm()) <= 1e-5
