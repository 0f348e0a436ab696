"""METRIC_FOR_BEST: loss: the loss on a validation split is training's, on pictures that nothing varies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import DataError

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from .detectors import SMALL_RTMDET

MASKS = {
    "TASK": "instance_segmentation",
    "MODEL_PATH": "rtmdet-ins_tiny_8xb32-300e_coco",
    "cfg_options": {**SMALL_RTMDET, "model.bbox_head.num_prototypes": 4},
    "train_ann_file": "train.json",
    "val_ann_file": "val.json",
}
LOSS = {"METRIC_FOR_BEST": "loss", "MAX_STEPS": 1, "augment": False, "INTERVAL": "no"}


def halved(squares: Path, folder: Path) -> Path:
    """The squares at half their size, boxes and polygons with them."""
    from PIL import Image

    data = json.loads((squares / "train.json").read_text(encoding="utf-8"))
    for image in data["images"]:
        picture = Image.open(squares / image["file_name"])
        picture.resize((48, 32), Image.Resampling.NEAREST).save(folder / image["file_name"])
        image["width"], image["height"] = 48, 32
    for annotation in data["annotations"]:
        annotation["bbox"] = [value / 2 for value in annotation["bbox"]]
        annotation["segmentation"] = [[value / 2 for value in corners] for corners in annotation["segmentation"]]
    for name in ("train.json", "val.json"):
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder


def test_objects_are_where_the_model_sees_them(run: Callable[..., Any], squares: Path, tmp_path: Path) -> None:
    """Pictures of half the size are scaled to the same pixels: boxes left in the file's pixels would be elsewhere."""
    (tmp_path / "half").mkdir()
    losses = [
        run(**LOSS, CUSTOM_DATASET_PATH=str(data), OUTPUT_DIR=str(tmp_path / name)).metrics["before"]["loss"]
        for name, data in (("a", squares), ("b", halved(squares, tmp_path / "half")))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_masks_of_pictures_of_several_sizes_have_a_loss(run: Callable[..., Any], squares: Path, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "several"
    folder.mkdir()
    data = json.loads((halved(squares, folder) / "val.json").read_text(encoding="utf-8"))
    for image in data["images"][::2]:
        canvas = Image.new("RGB", (48, 60))
        canvas.paste(Image.open(folder / image["file_name"]))
        canvas.save(folder / image["file_name"])
        image["height"] = 60
    for name in ("train.json", "val.json"):
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    result = run(**MASKS, **LOSS, CUSTOM_DATASET_PATH=str(folder))
    assert result.metrics["after"]["loss"] > 0


def test_a_top_down_pose_model_has_a_loss(triangles: Path, tmp_path: Path) -> None:
    pytest.importorskip("mmpose", reason="needs mmpose (pip install --no-deps mmpose)")
    result = adapt_core.run(
        {
            "TASK": "pose_detection",
            "MODEL_PATH": "rtmpose-t_8xb256-420e_coco-256x192",
            "CUSTOM_DATASET_PATH": str(triangles),
            "train_ann_file": "train.json",
            "val_ann_file": "val.json",
            "OUTPUT_DIR": str(tmp_path / "run"),
            "BATCH_SIZE": 4,
            "NUM_WORKERS": 0,
            **LOSS,
        }
    )
    assert result.metrics["after"]["loss"] > 0


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_of_crowds_alone_is_refused_before_a_step(
    run: Callable[..., Any], squares: Path, tmp_path: Path, split: str
) -> None:
    data = json.loads((squares / f"{split}.json").read_text(encoding="utf-8"))
    for annotation in data["annotations"]:
        annotation["iscrowd"] = 1
    file = tmp_path / "crowds.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    folders = {"TRAIN_DIR": str(squares), "VAL_DIR": str(squares)}
    files = {"train_ann_file": "train.json", "val_ann_file": "val.json", f"{split}_ann_file": str(file)}
    with pytest.raises(DataError, match=r"crowds\.json: none of the 16 images used has an object to learn from"):
        run(**folders, **files, **LOSS)
    figures = [file.read_text(encoding="utf-8") for file in (tmp_path / "run").glob("metrics.jsonl")]
    assert '"train"' not in "".join(figures)
