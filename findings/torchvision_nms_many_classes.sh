#!/usr/bin/env bash
# torchvision_nms_many_classes: batched_nms keeps other boxes of ten thousand classes on large pictures
# packages: torchvision==0.29.2 torch==2.15.0 numpy==2.4.6
# guess: batched_nms keeps what nms of each class by itself keeps, whatever the number of classes.
# seen: On a CPU and up to 1,000 boxes it shifts each class by its number times the largest coordinate, in float32: at
#   class 9,999 of a picture of 10,000 pixels the grid is 8 pixels wide, and boxes of 4 to 20 pixels are compared after
#   rounding to it. Of 900 boxes 605 are kept where nms by class keeps 529, and 108 are kept by one of the two alone.
#   Add boxes to more than 1,000, and the result is right.
# matters: Detectors with large vocabularies on aerial and document scans report duplicates and drop neighbours, and
#   only on pictures with few boxes. Call nms for each class, or shift in float64.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import numpy as np
import torch
from seen import seen
from torchvision.ops import batched_nms, nms

random = np.random.default_rng(0)
corners = random.uniform(0, 9900, (900, 2))
first = np.concatenate([corners, corners + random.uniform(4, 20, (900, 2))], axis=1)[:450]
boxes = torch.tensor(np.concatenate([first, first + random.normal(0, 1.5, first.shape)]), dtype=torch.float32)
scores = torch.tensor(random.permutation(900) / 900, dtype=torch.float32)


def kept(classes):
    """Boxes that batched_nms keeps, that nms by class keeps, and how many are in one of the two alone."""
    numbers = torch.tensor(np.random.default_rng(1).integers(0, classes, 450)).repeat(2)
    together = set(batched_nms(boxes, scores, numbers, 0.5).tolist())
    each = set()
    for number in numbers.unique():
        rows = (numbers == number).nonzero()[:, 0]
        each |= set(rows[nms(boxes[rows], scores[rows], 0.5)].tolist())
    return len(together), len(each), len(together ^ each)


seen("80 classes", kept(80), (532, 529, 3))
seen("1,000 classes", kept(1000), (531, 529, 8))
seen("10,000 classes", kept(10_000), (605, 529, 108))
far = torch.tensor([[9000, 100, 9500, 300]] * 200, dtype=torch.float32)
more = torch.cat([boxes, far]), torch.cat([scores, torch.full((200,), 0.0)])
numbers = torch.tensor(np.random.default_rng(1).integers(0, 10_000, 450)).repeat(2)
kept_of_more = batched_nms(*more, torch.cat([numbers, torch.full((200,), 10_000)]), 0.5)
seen("10,000 classes, 200 boxes of another class added", int((kept_of_more < 900).sum()), 529)
PY
