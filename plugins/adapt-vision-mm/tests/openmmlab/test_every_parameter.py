"""Each parameter of the OpenMMLab tasks, in each of them: what mmengine gets differs with its value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import adapt_core
from adapt_core.distributed.world import World
from adapt_core.plugin.params import parameters_of

pytest.importorskip("mmpose", reason="needs adapt-vision-mm[detection] and mmpose")

from .detectors import rates
from adapt_vision_mm.annotations.sources import find_source
from adapt_vision_mm.mm_params import DetectionParams, PoseParams, SegmentationParams
from adapt_vision_mm.openmmlab.fused_convolutions import FusedConvolutions
from adapt_vision_mm.openmmlab.hooks import Milestones
from adapt_vision_mm.openmmlab.optimizer import mixed_precision, optim_wrapper
from adapt_vision_mm.openmmlab.repeats import repeated_images

TASKS = {
    "object_detection": ("rtmdet_tiny_8xb32-300e_coco", DetectionParams),
    "instance_segmentation": ("rtmdet-ins_tiny_8xb32-300e_coco", SegmentationParams),
    "pose_detection": ("rtmpose-t_8xb256-420e_coco-256x192", PoseParams),
}


def task_of(plan: Any) -> Any:
    from adapt_core.execution.components import make_task

    return make_task(plan)


def config_of(plan: Any) -> Any:
    return task_of(plan).models.adapted.config


def rate(plan: Any) -> float:
    made: float = optim_wrapper(plan, None, World(), task_of(plan).models.adapted.base_batch_size)["optimizer"]["lr"]
    return made


def saved_after(plan: Any) -> list[int]:
    """The steps after which an epoch's checkpoint is written, in four epochs of ten steps."""
    saved: list[int] = []
    averages = SimpleNamespace(step=lambda step: None)
    progress = SimpleNamespace(batches_per_epoch=10, total_batches=40, stepped=lambda: True, averages=averages)
    hook = Milestones(
        SimpleNamespace(plan=plan, stop=SimpleNamespace(stepped=lambda: False)),
        SimpleNamespace(paused=lambda: None),
        progress,
        None,
        None,
        ("mAP", "higher"),
    )
    hook._evaluated = lambda runner: False
    hook._save = lambda runner, improved: saved.append(progress.step)
    runner = SimpleNamespace(train_loop=SimpleNamespace(stop_training=False))
    for step in range(1, 41):
        progress.batch = progress.step = step
        progress.epoch = step / 10
        hook.after_train_iter(runner, step)
    return saved


def names(plan: Any) -> Any:
    return task_of(plan).splits["train"].names


def annotated(plan: Any) -> Any:
    return [(a["category_id"], a["area"]) for a in task_of(plan).splits["train"].images[0].annotations]


def steps_of(plan: Any) -> set[str]:
    return {step["type"] for step in config_of(plan).train_pipeline}


def repeats(plan: Any) -> bool:
    task = task_of(plan)
    return repeated_images(task.load_data().train, plan.task.params) is not None


def fused_blocks(plan: Any) -> int:
    """How many blocks of the task's model an evaluation of its first image computes at once."""
    import torch
    from mmcv.cnn import ConvModule
    from mmengine.dataset import pseudo_collate

    task = task_of(plan)
    model: Any = task.models.build(None, "cpu").model.eval()
    batch = pseudo_collate([task.load_data().validation[0]])
    fusion = FusedConvolutions(wanted=plan.task.params.fuse_convolutions)
    with torch.no_grad(), fusion.of(model, batch):
        return sum(isinstance(part, ConvModule) and "forward" in vars(part) for part in model.modules())


def shape(plan: Any) -> Any:
    return json.dumps(config_of(plan).test_pipeline.copy(), default=str)


@attrs.frozen
class Proof:
    """A parameter with another value than its default, and what must differ then.

    Attributes:
        value: the other value.
        what: plan -> what mmengine gets.
        beside: what both runs have besides.
        of: the tasks that have the parameter's effect.
    """

    value: Any
    what: Callable[[Any], Any]
    beside: dict[str, Any] = attrs.field(factory=dict)
    of: tuple[str, ...] = tuple(TASKS)


COSINE = {"SCHEDULER_TYPE": "CosineAnnealingLR"}
STEPS = {"SCHEDULER_TYPE": "MultiStepLR", "MILESTONES": [1]}
WARM = {"SCHEDULER_TYPE": "constant", "WARMUP": True}
MAPS = {"train_ann_file": "train.txt", "val_ann_file": "train.txt", "TRAIN_DIR": "images", "VAL_DIR": "images"}
RED, BLUE = [255, 0, 0], [0, 0, 255]
DETECTORS = ("object_detection", "instance_segmentation")

PROOFS: dict[str, Proof] = {
    "BEGIN": Proof(1, rates),
    "END": Proof(2, rates),
    "T_MAX": Proof(2, rates, COSINE),
    "WARMUP": Proof(True, rates),
    "WARMUP_RATIO": Proof(0.5, rates, WARM),
    "WARMUP_ITERS": Proof(5, rates, WARM),
    "MILESTONES": Proof([2], rates, {"SCHEDULER_TYPE": "MultiStepLR"}),
    "GAMMA": Proof(0.5, rates, STEPS),
    "amp": Proof(True, mixed_precision),
    "auto_scale_lr": Proof(True, rate),
    "cfg_options": Proof(
        {"model.data_preprocessor.pad_value": 7}, lambda plan: config_of(plan).model.data_preprocessor.get("pad_value")
    ),
    "train_ann_file": Proof("other.json", lambda plan: find_source(plan, "train")),
    "val_ann_file": Proof("other.json", lambda plan: find_source(plan, "val")),
    "test_ann_file": Proof("other.json", lambda plan: sorted(task_of(plan).splits)),
    "checkpoint_interval": Proof(2, saved_after),
    "class_list": Proof(
        ["cat", "dog"],
        names,
        {**MAPS, "palette": [RED, BLUE], "class_list": ["dog", "cat"]},
        of=("instance_segmentation",),
    ),
    "palette": Proof(
        [BLUE, RED],
        annotated,
        {**MAPS, "class_list": ["cat", "dog"], "palette": [RED, BLUE]},
        ("instance_segmentation",),
    ),
    "image_size": Proof(320, shape, of=DETECTORS),
    "augment": Proof(False, steps_of),
    "REPEAT_THRESHOLD": Proof(1.0, repeats, of=DETECTORS),
    "FUSE_CONVOLUTIONS": Proof(False, fused_blocks),
    "backbone": Proof("timm/resnet10t", lambda plan: config_of(plan).model.backbone.type),
    "backbone_weights": Proof("pretrained", lambda plan: bool(config_of(plan).model.backbone.get("init_cfg"))),
}


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Any]:
    """A checked plan of a task on one image with a box, a mask and two points; four epochs."""
    from PIL import Image

    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for place in (tmp_path / "a.png", tmp_path / "images" / "a.png"):
        Image.new("RGB", (40, 30)).save(place)
    labels = Image.new("RGB", (40, 30))
    labels.paste(tuple(RED), (2, 2, 12, 12))
    labels.paste(tuple(BLUE), (20, 2, 25, 7))
    labels.save(tmp_path / "labels" / "a.png")
    (tmp_path / "train.txt").write_text("a\n", encoding="utf-8")
    square = [1, 2, 11, 2, 11, 14, 1, 14]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12], "area": 120, "iscrowd": 0}
    annotation |= {"segmentation": [square], "keypoints": [2, 3, 2, 9, 9, 2], "num_keypoints": 2}
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "cell", "keypoints": ["nose", "tail"], "skeleton": []}],
        "annotations": [annotation],
    }
    for name in ("train", "val", "other"):
        (tmp_path / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")

    def make(task: str, **changes: Any) -> Any:
        keys = {
            "TASK": task,
            "MODEL_PATH": TASKS[task][0],
            "CUSTOM_DATASET_PATH": str(tmp_path),
            "train_ann_file": "train.json",
            "val_ann_file": "val.json",
            "EPOCHS": 4,
            "LR": 0.1,
            "BATCH_SIZE": 8,
        }
        return adapt_core.check({**keys, **changes})

    return make


@pytest.mark.parametrize(("task", "key"), [(task, key) for key, proof in PROOFS.items() for task in proof.of])
def test_a_parameter_changes_what_mmengine_gets(plan: Callable[..., Any], task: str, key: str) -> None:
    proof = PROOFS[key]
    assert proof.what(plan(task, **{**proof.beside, key: proof.value})) != proof.what(plan(task, **proof.beside))


@pytest.mark.parametrize("task", TASKS)
def test_no_parameter_is_without_a_proof(task: str) -> None:
    keys = {parameter.key for parameter in parameters_of(TASKS[task][1]).values()}
    assert keys - set(PROOFS) == {"score_threshold"}, "score_threshold is proven by predictions"


@pytest.mark.parametrize("task", DETECTORS)
def test_rtmdet_does_not_turn_its_norms_into_those_of_several_gpus(plan: Callable[..., Any], task: str) -> None:
    assert config_of(plan(task)).model.use_syncbn is False


def test_the_specification_names_no_other(shared: Path) -> None:
    table = json.loads((shared / "spec" / "parameters.json").read_text(encoding="utf-8"))
    sections = {"Object Detection", "Instance Segmentation", "Pose Detection"}
    assert {row["name"] for row in table if row["section"] in sections} <= set(PROOFS)
