"""`augment: own` trains on what the config's own pipeline makes of images, and is refused where it needs more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.errors import InputError, InterruptedRunError

from .detectors import SMALL_RTMDET
from adapt_vision_mm.openmmlab.detectors.own_pipeline import last_epoch_from

Made = Callable[..., Any]


@pytest.fixture
def images(squares: Path, tmp_path: Path) -> Made:
    """Returns the training images of a config with changes, without a model."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.execution.components import make_task
    from adapt_core.plugin.registry import Registry

    def made(config: str = "rtmdet_tiny_8xb32-300e_coco", **changes: Any) -> Any:
        keys = {"TASK": "object_detection", "MODEL_PATH": config, "CUSTOM_DATASET_PATH": str(squares)}
        keys |= {"OUTPUT_DIR": str(tmp_path / "run"), "augment": "own", "EPOCHS": 30}
        task: Any = make_task(resolve(RunConfig.read({**keys, **changes}), Registry.discover()))
        return task.load_data().train

    return made


def most_objects(dataset: Any, epoch: int) -> int:
    """The most objects that an image of an epoch has; those of the data have two."""
    found = (dataset[epoch * len(dataset) + number] for number in range(len(dataset)))
    return max(len(one["data_samples"].gt_instances) for one in found)


@pytest.mark.parametrize(
    ("config", "task"),
    [
        ("rtmdet_tiny_8xb32-300e_coco", "object_detection"),
        ("yolox_tiny_8xb8-300e_coco", "object_detection"),
        ("rtmdet-ins_tiny_8xb32-300e_coco", "instance_segmentation"),
    ],
)
def test_mosaics_are_of_several_images_but_for_the_last_epochs(images: Made, config: str, task: str) -> None:
    dataset = images(config, TASK=task, image_size=128)
    assert most_objects(dataset, 0) > 2
    assert most_objects(dataset, 29) <= 2
    sample = dataset[0]["data_samples"].gt_instances
    assert ("masks" in sample) == (task == "instance_segmentation")


def test_an_image_depends_on_seed_epoch_and_number_alone(images: Made) -> None:
    dataset, other = images(image_size=128), images(image_size=128)
    for index in (3, len(dataset) + 3):
        for _ in range(2):
            other[5]  # a cache would hold it
        assert torch.equal(dataset[index]["inputs"], other[index]["inputs"])
    assert not torch.equal(dataset[3]["inputs"], dataset[len(dataset) + 3]["inputs"])


def test_images_have_the_config_s_size_or_that_of_image_size(images: Made) -> None:
    assert images()[0]["inputs"].shape[1:] == (640, 640)
    assert images(image_size=96)[0]["inputs"].shape[1:] == (96, 96)


def test_sides_are_not_mirrored_where_classes_have_one(images: Made, squares: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = Path(shutil.copytree(squares, tmp_path / "sides"))
    for name in ("train.json", "val.json"):
        data = json.loads((folder / name).read_text())
        for category, side in zip(data["categories"], ("left", "right"), strict=True):
            category["name"] = f"{side} square"
        (folder / name).write_text(json.dumps(data))

    def flips(dataset: Any) -> bool:
        return any(dataset[number]["data_samples"].flip for number in range(16))

    detr = "detr_r50_8xb2-150e_coco"
    assert flips(images(detr, image_size=64))
    sided = images(detr, image_size=64, CUSTOM_DATASET_PATH=str(folder))
    assert not any(sided[number]["data_samples"].get("flip") for number in range(16))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("fast-rcnn_r50_fpn_1x_coco", "LoadProposals, which needs more than images and their objects"),
        ("grounding_dino_swin-b_pretrain_all", "several data sets with pipelines of their own"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(images: Made, config: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"augment: own: .*{reason}"):
        images(config)


def test_a_step_that_fails_is_told_before_training(images: Made, tmp_path: Path) -> None:
    from adapt_vision_mm.openmmlab.config_files import shipped_configs

    base = shipped_configs("mmdet")["rtmdet_tiny_8xb32-300e_coco"]
    config = tmp_path / "mine.py"
    steps = "[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), dict(type='Nowhere')]"
    config.write_text(f"_base_ = {str(base)!r}\ntrain_dataloader = dict(dataset=dict(pipeline={steps}))\n")
    with pytest.raises(InputError, match=r"augment: own: the training pipeline of mine fails .*Nowhere"):
        images(str(config))


@pytest.mark.parametrize(
    ("share", "epochs", "first"),
    [(0.0, 30, None), (0.1, 30, 27), (0.1, 3, 2), (0.1, 1, None), (0.5, 2.5, 2), (1, 4, 1)],
)
def test_the_last_epochs_are_a_share_of_the_run_s(share: float, epochs: float, first: int | None) -> None:
    assert last_epoch_from(share, epochs) == first


def test_a_run_trains_on_it_resumes_and_its_model_goes_on_with_it(
    run: Callable[..., Any], squares: Path, tmp_path: Path
) -> None:
    keys = {"augment": "own", "DO_EVAL": False, "INTERVAL": "steps", "INTERVAL_STEPS": 1, "EPOCHS": 2}
    result = run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    assert result.training_check["verdict"] == "learned"
    with pytest.raises(InterruptedRunError):
        run(**keys, STOP_AFTER="5 steps")
    run(**keys, resume=True)
    run(**{**keys, "augment": True}, OUTPUT_DIR=str(tmp_path / "other"))

    def weights(name: str) -> dict[str, torch.Tensor]:
        saved = torch.load(tmp_path / name / "model" / "checkpoint.pth", weights_only=True)
        found: dict[str, torch.Tensor] = saved["state_dict"]
        return found

    whole, resumed, other = weights("whole"), weights("run"), weights("other")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not all(torch.equal(whole[name], other[name]) for name in whole)
    changes = {"MODEL_PATH": str(tmp_path / "whole" / "model"), "cfg_options": SMALL_RTMDET, "MAX_STEPS": 1}
    assert run(**{**keys, **changes}, OUTPUT_DIR=str(tmp_path / "on")).training_check["verdict"]
