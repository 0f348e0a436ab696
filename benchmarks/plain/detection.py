"""Object detection by mmdet and mmengine's Runner alone."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

from benchmarks.plain.phases import SEED, command_line

CONFIG = "rtmdet_tiny_8xb32-300e_coco"


def train(
    annotations: str,
    data: Path,
    folder: Path,
    *,
    steps: int,
    lr: float,
    batch_size: int,
    size: int,
    workers: int,
    evaluated: int,
) -> dict[str, Any]:
    """Train RTMDet-tiny from scratch on DATA/train with these COCO annotations, and return the pace.

    So many images of DATA/val are evaluated before and after.
    """
    import adapt_vision_mm.openmmlab.mmcv_ops_shim  # noqa: F401, I001 - mmcv's operators, where none are compiled
    import mmdet.datasets
    import mmdet.models  # noqa: F401 - registers what the config names
    from adapt_vision_mm.openmmlab.config_files import shipped_configs
    from mmengine.config import Config
    from mmengine.hooks import Hook
    from mmengine.runner import Runner
    from pycocotools.coco import COCO

    losses: list[float] = []

    class Losses(Hook):
        def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
            losses.append(float(outputs["loss"]))

    model = Config.fromfile(str(shipped_configs("mmdet")[CONFIG])).model
    classes = tuple(category["name"] for category in COCO(annotations).dataset["categories"])
    model.backbone.init_cfg = None
    model.backbone.norm_cfg = model.neck.norm_cfg = model.bbox_head.norm_cfg = {"type": "BN"}
    model.data_preprocessor.batch_augments = None
    model.data_preprocessor.pad_size_divisor = 32
    model.bbox_head.num_classes = len(classes)
    pipeline = [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", "with_bbox": True},
        {"type": "RandomResize", "scale": (size, size), "ratio_range": (0.8, 1.25), "keep_ratio": True},
        {"type": "RandomCrop", "crop_size": (size, size), "allow_negative_crop": True},
        {"type": "YOLOXHSVRandomAug"},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "PackDetInputs"},
    ]
    dataset = {
        "type": "CocoDataset",
        "ann_file": annotations,
        "data_prefix": {"img": str(data / "train")},
        "metainfo": {"classes": classes},
        "pipeline": pipeline,
    }
    held_out = str(data / "annotations" / "instances_val.json")
    evaluation = {
        **dataset,
        "ann_file": held_out,
        "data_prefix": {"img": str(data / "val")},
        "test_mode": True,
        "indices": evaluated,
        "pipeline": [
            {"type": "LoadImageFromFile"},
            {"type": "Resize", "scale": (size, size), "keep_ratio": True},
            {"type": "PackDetInputs", "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")},
        ],
    }
    runner = Runner(
        model=model,
        work_dir=str(folder),
        train_dataloader={
            "dataset": dataset,
            "batch_size": batch_size,
            "num_workers": workers,
            "sampler": {"type": "DefaultSampler", "shuffle": True},
        },
        train_cfg={"type": "IterBasedTrainLoop", "max_iters": steps, "val_begin": steps + 1},
        val_dataloader={
            "dataset": evaluation,
            "batch_size": batch_size,
            "num_workers": workers,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
        },
        val_cfg={"type": "ValLoop"},
        val_evaluator={"type": "CocoMetric", "metric": "bbox", "ann_file": held_out},
        optim_wrapper={
            "type": "OptimWrapper",
            "optimizer": {"type": "AdamW", "lr": lr, "weight_decay": 0.0, "fused": True},
            "clip_grad": {"max_norm": 1.0},
        },
        param_scheduler=[{"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.0, "end": steps, "by_epoch": False}],
        default_hooks={"logger": None, "checkpoint": None},
        custom_hooks=[Losses()],
        randomness={"seed": SEED},
        log_level="ERROR",
        default_scope="mmdet",
    )
    runner.val()
    started = time.monotonic()
    runner.train()
    seconds = time.monotonic() - started
    runner.val()
    return {
        "losses": losses,
        "train_seconds": seconds,
        "samples_per_second": steps * batch_size / seconds,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


if __name__ == "__main__":
    command_line(train)
