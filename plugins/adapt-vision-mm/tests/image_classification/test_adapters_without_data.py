"""An image classifier's adapter is used from the run folder and the base: the images may be gone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from ..conftest import Keys

pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
TIMM_VIT = {"MODEL_PATH": "vit_tiny_patch16_224", "model_type": "vit_timm", "image_processor_path": None}


@pytest.mark.parametrize(
    ("library", "changes"),
    [
        ("huggingface", {"load_in_4bit": True}),
        ("huggingface", {"load_in_8bit": True, "method": "SSF"}),
        ("timm", {"load_model": False}),
        pytest.param("timm", {"load_in_4bit": True, "load_model": False, **TIMM_VIT}, marks=pytest.mark.slow),
    ],
)
def test_an_adapter_is_used_without_the_images_of_its_run(
    library: str, changes: Keys, keys: Keys, hf_keys: Keys, pictures: Path, tmp_path: Path
) -> None:
    from adapt_core.execution.export import export_finished
    from adapt_core.execution.finished_run import FinishedRun

    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(pictures, data)
    base = {"CUSTOM_DATASET_PATH": str(data), "method": "LoRA", "MERGE_ADAPTER": False, "MAX_STEPS": 2}
    adapt_core.run({**(hf_keys if library == "huggingface" else keys), **base, **changes})
    shutil.move(data, tmp_path / "moved")
    assert not (run / "model").exists()

    images = [str(tmp_path / "moved" / "val" / colour / "0.jpg") for colour in ("blue", "green", "red")]
    found = adapt_core.predict(run, images)
    exported = export_finished(run, "safetensors", tmp_path / "exported", trust=False)
    assert exported.merge is not None, "the merge was not checked"
    task: Any = FinishedRun.open(run).task
    again = task.predict(task.load_model_folder(exported.folder), exported.folder, images)
    assert [(one["label"], one["score"]) for one in again] == [
        (one["label"], pytest.approx(one["score"], abs=1e-5)) for one in found
    ]
