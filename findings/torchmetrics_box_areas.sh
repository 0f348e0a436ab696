#!/usr/bin/env bash
# torchmetrics_box_areas: asking for masks too moves boxes between small, medium and large
# packages: torchmetrics==1.9.0 pycocotools==2.0.11 torch==2.15.0 torchvision==0.29.2
# guess: bbox_map_small of iou_type ("bbox", "segm") is map_small of iou_type "bbox": the boxes are the same.
# seen: With "segm" among the types an object's area is its mask's for boxes too. An L of 80 by 80 pixels, two pixels
#   thick, is medium for "bbox" and small for both together: map_medium 1 becomes -1, map_small -1 becomes 1.
# matters: The figures by size of a detector and of the same detector with a mask head are over other objects. Pass
#   "area" with each target, which is taken in both cases.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from seen import seen
from torchmetrics.detection import MeanAveragePrecision

mask = torch.zeros(1, 100, 100, dtype=torch.bool)
mask[0, 10:90, 10:12] = True
mask[0, 10:12, 10:90] = True
boxes, label = torch.tensor([[10.0, 10.0, 90.0, 90.0]]), torch.tensor([0])


def by_size(types, prefix="", **target):
    metric = MeanAveragePrecision(iou_type=types)
    prediction = {"boxes": boxes, "masks": mask, "scores": torch.tensor([0.9]), "labels": label}
    metric.update([prediction], [{"boxes": boxes, "masks": mask, "labels": label, **target}])
    values = metric.compute()
    return {size: int(values[f"{prefix}map_{size}"]) for size in ("small", "medium", "large")}


both = ("bbox", "segm")
seen("boxes alone", by_size("bbox"), {"small": -1, "medium": 1, "large": -1})
seen("boxes with masks", by_size(both, "bbox_"), {"small": 1, "medium": -1, "large": -1})
area = {"area": torch.tensor([6400.0])}
seen("boxes with masks, area given", by_size(both, "bbox_", **area), {"small": -1, "medium": 1, "large": -1})
PY
