#!/usr/bin/env bash
# kornia_box_formats: a flip moves one box differently as bbox_xyxy and as bbox_xywh
# packages: kornia==0.9.0 torch==2.15.0
# guess: A flip sends the edges x of bbox_xyxy to W - x, so that a box of pixels 10 to 14 covers the same pixels
#   afterwards.
# seen: bbox_xywh does that: x 10, width 5 becomes x 65 in a picture of 80. bbox_xyxy sends both edges to W - 1 - x: 10
#   to 15 becomes 64 to 69 and no longer covers pixel 69, which is where pixel 10 goes.
# matters: Boxes drift by a pixel with each second picture, the small ones most, and a detector learns boxes between the
#   two. Use bbox_xywh, or put the last pixel and not the edge into bbox_xyxy.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from kornia.augmentation import AugmentationSequential, RandomHorizontalFlip, RandomVerticalFlip
from seen import seen

picture = torch.zeros(1, 1, 60, 80)
picture[0, 0, 20:26, 10:15] = 1


def changed(change, kind, box):
    together = AugmentationSequential(change, data_keys=["input", kind])
    moved, boxes = together(picture, torch.tensor([[box]]))
    rows, columns = moved[0, 0].nonzero().T
    pixels = [int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())]
    return pixels, boxes[0, 0].tolist()


XYXY, XYWH = [10.0, 20.0, 15.0, 26.0], [10.0, 20.0, 5.0, 6.0]
left, upside = RandomHorizontalFlip(p=1.0), RandomVerticalFlip(p=1.0)
seen("flip, bbox_xywh", changed(left, "bbox_xywh", XYWH), ([65, 20, 69, 25], [65.0, 20.0, 5.0, 6.0]))
seen("flip, bbox_xyxy", changed(left, "bbox_xyxy", XYXY), ([65, 20, 69, 25], [64.0, 20.0, 69.0, 26.0]))
seen("upside down, bbox_xyxy", changed(upside, "bbox_xyxy", XYXY), ([10, 34, 14, 39], [10.0, 33.0, 15.0, 39.0]))
PY
