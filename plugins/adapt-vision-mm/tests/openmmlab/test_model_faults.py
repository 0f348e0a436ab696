"""Checkpoints with code in them, and annotated files outside of the data: refused with the place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core
from adapt_core.errors import InputError

from ..hostile import Run, refused


@pytest.fixture
def check_mm(tmp_path: Path) -> Run:
    """Checks a detection config of one image with changes."""
    pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
    image = {"id": 1, "file_name": "a.png", "width": 64, "height": 64}
    data = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "x"}]}
    for name in ("train.json", "val.json"):
        (tmp_path / name).write_text(json.dumps(data), encoding="utf-8")

    def check(**changes: Any) -> Any:
        keys = {"TASK": "object_detection", "CUSTOM_DATASET_PATH": str(tmp_path), "OUTPUT_DIR": str(tmp_path / "run")}
        return adapt_core.check({**keys, **changes})

    return check


def test_a_checkpoint_with_code_is_not_run(evil: bytes, tmp_path: Path) -> None:
    pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
    from adapt_vision_mm.openmmlab.weights import load_matching

    (tmp_path / "evil.pth").write_bytes(evil)
    with pytest.raises(InputError, match="could run code"):
        load_matching(torch.nn.Linear(1, 1), tmp_path / "evil.pth")


@pytest.mark.parametrize("climbing", ["../../../../etc/hostname", "/etc/hostname"])
def test_an_annotated_file_outside_of_the_data_is_no_image(check_mm: Run, tmp_path: Path, climbing: str) -> None:
    text = (tmp_path / "train.json").read_text(encoding="utf-8").replace("a.png", climbing)
    (tmp_path / "train.json").write_text(text, encoding="utf-8")
    message = refused(check_mm, MODEL_PATH="rtmdet_tiny_8xb32-300e_coco")
    assert climbing in message


def test_a_damaged_model_folder_is_named_with_its_file(run: Run, squares: Path, tmp_path: Path) -> None:
    pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
    run(INTERVAL="no", MAX_STEPS=1, DO_EVAL=False)
    folder = tmp_path / "run" / "model"
    config = (folder / "config.py").read_bytes()
    for damaged in (
        b"",
        b"x = 1",
        b"model = ",
        b"model = dict(type='RTMDet')",
        b"\xff",
    ):
        (folder / "config.py").write_bytes(damaged)
        with pytest.raises(InputError, match=rf"{folder}.*config\.py.*(Correct|Restore)"):
            adapt_core.predict(tmp_path / "run", [str(squares / "1.png")])
    (folder / "config.py").write_bytes(config)
    for saved in ([], {}, {"state_dict": {}}, {"state_dict": {}, "meta": {}}, torch.ones(2)):
        torch.save(saved, folder / "checkpoint.pth")
        with pytest.raises(InputError, match=rf"{folder} cannot be loaded: .*checkpoint\.pth.*Restore the folder"):
            adapt_core.predict(tmp_path / "run", [str(squares / "1.png")])
    (folder / "checkpoint.pth").write_bytes(b"")
    with pytest.raises(InputError, match=r"checkpoint\.pth cannot be read as weights"):
        adapt_core.predict(tmp_path / "run", [str(squares / "1.png")])


_PREDICT = """
import sys
import adapt_core

print("predicted:", len(adapt_core.predict(sys.argv[1], sys.argv[2:], trust=True)))
"""


def test_a_pickled_detector_predicts_with_trust_where_nothing_is_imported_yet(
    run: Run, squares: Path, tmp_path: Path
) -> None:
    pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
    run(SAVE_METHOD="full_torch_model", INTERVAL="no", MAX_STEPS=1, DO_EVAL=False)
    with pytest.raises(InputError, match="TRUST_REMOTE_CODE=true"):
        adapt_core.predict(tmp_path / "run", [str(squares / "1.png")])
    command = [sys.executable, "-c", _PREDICT, str(tmp_path / "run"), str(squares / "1.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "predicted: 1" in done.stdout, done.stderr[-3000:]
