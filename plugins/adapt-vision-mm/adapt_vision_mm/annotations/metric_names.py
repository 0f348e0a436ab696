"""Names of the COCO metrics, each with the direction that is better. The first one of a task decides what is best."""

from __future__ import annotations

from typing import Literal

Kind = Literal["bbox", "segm", "keypoints"]
"""What is compared (`iouType` of COCO's evaluation)."""

BOX_METRICS = {"mAP": "higher", "AP50": "higher", "AP75": "higher"}
MASK_METRICS = {f"mask_{name}": direction for name, direction in BOX_METRICS.items()}
KEYPOINT_METRICS = {f"keypoint_{name}": direction for name, direction in BOX_METRICS.items()}
METRICS: dict[Kind, dict[str, str]] = {"bbox": BOX_METRICS, "segm": MASK_METRICS, "keypoints": KEYPOINT_METRICS}
