"""What the tests of detectors share besides fixtures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SMALL_RTMDET = {
    "model.backbone.widen_factor": 0.125,
    "model.neck.in_channels": [32, 64, 128],
    "model.neck.out_channels": 32,
    "model.bbox_head.in_channels": 32,
    "model.bbox_head.feat_channels": 32,
}


def lines(folder: Path, phase: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["phase"] == phase]
