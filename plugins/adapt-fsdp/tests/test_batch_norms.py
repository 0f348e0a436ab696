"""Batch norms that train: each process sees its own rows, and what is measured and saved is one model nevertheless."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapt_core.run_folder.names import MARKER

from . import jobs
from .reference_runs import alone, together

Keys = dict[str, Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def images(folder: Path, inbox: Path) -> Keys:
    """A small ResNet of timm's."""
    keys = jobs.image_classification(folder, inbox)
    return {**keys, "MODEL_PATH": "resnet10t", "model_type": "resnet_timm", "image_processor_path": keys["MODEL_PATH"]}


def boxes(folder: Path, inbox: Path) -> Keys:
    """The narrow RTMDet with the batch norms that it comes with."""
    keys = jobs.detection_by_rtmdet(folder, inbox)
    plain = {key: value for key, value in keys["cfg_options"].items() if not key.endswith("norm_cfg")}
    return {**keys, "cfg_options": plain, "LR": 1e-3, "METRIC_FOR_BEST": "loss"}


CASES: dict[str, Callable[[Path, Path], Keys]] = {"images": images, "boxes": boxes}


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, inbox: Path) -> dict[str, Keys]:
    """Case -> its config, with a checkpoint every 2 steps, which has been run in two processes."""
    made: dict[str, Keys] = {}
    folder = tmp_path_factory.mktemp("norms")
    for case, job in CASES.items():
        home = folder / case
        home.mkdir()
        try:
            keys = {**jobs.in_two_processes(tiny_encoder, inbox, home), **job(home, inbox)}
        except pytest.skip.Exception:
            continue
        made[case] = {**keys, "MAX_STEPS": 6, "EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 2}
    together(list(made.values()), folder)
    return made


@pytest.mark.parametrize("case", CASES)
def test_the_saved_model_is_the_one_that_was_measured(configs: dict[str, Keys], case: str) -> None:
    if case not in configs:
        pytest.skip("needs adapt-vision-mm, with [detection] for boxes")
    config = configs[case]
    run = Path(config["OUTPUT_DIR"])
    saved = {key: value for key, value in config.items() if key not in ("cfg_options", "model_type")}
    saved |= {"MODEL_PATH": str(run / "model"), "MAX_STEPS": 1, "INTERVAL": "no"}
    again = alone(saved, run.with_name("again"))
    measured = json.loads((run / "result.json").read_text(encoding="utf-8"))["metrics"]["after"]
    assert again.metrics["before"] == pytest.approx(measured, rel=1e-5)


def test_a_resumed_run_ends_as_an_unbroken_one(configs: dict[str, Keys], tmp_path: Path) -> None:
    """Even where evaluations give the processes other statistics than they had gathered."""
    if not configs:
        pytest.skip("needs adapt-vision-mm")
    broken = []
    for case, config in configs.items():
        whole, part = Path(config["OUTPUT_DIR"]), tmp_path / case
        shutil.copytree(whole / "checkpoints" / "checkpoint-2", part / "checkpoints" / "checkpoint-2")
        for name in (MARKER, "config.yaml", "metrics.jsonl"):
            shutil.copy(whole / name, part)
        broken.append({**config, "OUTPUT_DIR": str(part)})
    together(broken, tmp_path)
    for case, config in configs.items():
        ends = [
            load_file(folder / "model" / "model.safetensors")
            for folder in (tmp_path / case, Path(config["OUTPUT_DIR"]))
        ]
        assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[1]), case
        assert "resuming from" in (tmp_path / case / "log.txt").read_text(encoding="utf-8")
