"""What the tests of detectors share besides fixtures."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

PER_EPOCH = 10

SMALL_RTMDET = {
    "model.backbone.widen_factor": 0.125,
    "model.neck.in_channels": [32, 64, 128],
    "model.neck.out_channels": 32,
    "model.bbox_head.in_channels": 32,
    "model.bbox_head.feat_channels": 32,
}

POINTS = ["tip", "left ear", "right ear"]


def lines(folder: Path, phase: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["phase"] == phase]


def rates(plan: Any, steps: int = 4 * PER_EPOCH, per_epoch: Fraction | int = PER_EPOCH) -> list[float]:
    """The learning rate of each step, by mmengine's own schedulers."""
    import mmengine.optim  # noqa: F401 - registers the schedulers
    import torch
    from mmengine.registry import PARAM_SCHEDULERS

    from adapt_vision_mm.openmmlab.schedules import schedulers

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=plan.training.lr)
    made = [
        PARAM_SCHEDULERS.build({**scheduler, "optimizer": optimizer})
        for scheduler in schedulers(plan, per_epoch, steps)
    ]
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in made:
            scheduler.step()
    return seen
