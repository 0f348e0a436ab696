"""The score of each class with the best F1 on validation decides what is predicted, where no key says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

LEARNS = {"EPOCHS": 30, "INTERVAL": "no", "augment": False}


def test_predictions_keep_what_reaches_the_threshold_of_their_class(
    run: Callable[..., Any], squares: Path, tmp_path: Path
) -> None:
    import torch

    result = run(**LEARNS)
    least = result.decisions["thresholds"]["of"]
    assert set(least) == {"red", "blue"}
    assert all(0 < score < 1 for score in least.values())
    folder = tmp_path / "run"
    kept = torch.load(folder / "model" / "checkpoint.pth", weights_only=False)["meta"]["dataset_meta"]
    assert kept["thresholds"] == list(least.values())

    picture = str(squares / "3.png")
    [found] = adapt_core.predict(folder, [picture])
    assert found["detections"]
    assert all(each["score"] >= least[each["category"]] for each in found["detections"])
    exported = adapt_core.export(folder, "safetensors", tmp_path / "exported")
    again = torch.load(exported / "checkpoint.pth", weights_only=False)["meta"]["dataset_meta"]
    assert again["thresholds"] == kept["thresholds"]

    config = folder / "config.yaml"
    config.write_text(f"{config.read_text('utf-8')}\nscore_threshold: 0.0\n", encoding="utf-8")
    [every] = adapt_core.predict(folder, [picture])
    assert len(every["detections"]) > len(found["detections"])


def test_an_adapter_keeps_them_and_a_further_run_tunes_its_own(run: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    run(**LEARNS, OUTPUT_DIR=str(tmp_path / "base"))
    base = {"MODEL_PATH": str(tmp_path / "base" / "model"), "cfg_options": None, "method": "LoRA"}
    result = run(**{**LEARNS, "EPOCHS": 2}, **base, MERGE_ADAPTER=False)
    from adapt_core.execution.finished_run import FinishedRun

    model: Any = FinishedRun.open(tmp_path / "run").model()
    assert model.dataset_meta["thresholds"] == list(result.decisions["thresholds"]["of"].values())
