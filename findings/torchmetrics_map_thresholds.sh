#!/usr/bin/env bash
# torchmetrics_map_thresholds: mean average precision is not that of pycocotools, which computes it
# packages: torchmetrics==1.9.0 pycocotools==2.0.11 torch==2.15.0 torchvision==0.29.2
# guess: torchmetrics calls pycocotools, so the same boxes and scores give the same figures.
# seen: Its 101 recall thresholds are made in float32, so some lie above and some below those of pycocotools, by up to
#   3.6e-8. Of ten objects 6 found give 0.5941 where pycocotools has 0.6040; 7 give 0.7030 for 0.6931; 8 give 0.7921 for
#   0.8020. With thresholds in float64 both agree.
# matters: Classes with 10, 20, 50 or 100 objects, which is common in small validation sets, get up to a hundredth more
#   or less. Compare figures of one package only, or pass rec_thresholds=numpy.linspace(0, 1, 101).tolist().
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import contextlib
import io

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from seen import seen
from torchmetrics.detection import MeanAveragePrecision

BOX = [10.0, 10.0, 50.0, 50.0]
OBJECTS = 10


def by_pycocotools(found):
    images = [{"id": number} for number in range(1, OBJECTS + 1)]
    box = {"category_id": 1, "bbox": BOX, "area": 2500, "iscrowd": 0}
    boxes = [{"id": number, "image_id": number, **box} for number in range(1, OBJECTS + 1)]
    results = [{"image_id": n + 1, "category_id": 1, "bbox": BOX, "score": 0.9 - n / 100} for n in range(found)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "one"}]}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return round(float(evaluation.stats[0]), 4)


def by_torchmetrics(found, **options):
    metric = MeanAveragePrecision(box_format="xywh", **options)
    for number in range(OBJECTS):
        hits = 1 if number < found else 0
        prediction = {
            "boxes": torch.tensor([BOX] * hits).reshape(-1, 4),
            "scores": torch.tensor([0.9 - number / 100] * hits),
            "labels": torch.ones(hits, dtype=torch.long),
        }
        metric.update([prediction], [{"boxes": torch.tensor([BOX]), "labels": torch.tensor([1])}])
    return round(float(metric.compute()["map"]), 4)


OWN = np.linspace(0, 1, 101)
apart = np.array(MeanAveragePrecision().rec_thresholds) - OWN
seen("thresholds above, below", (bool((apart > 0).any()), bool((apart < 0).any())), (True, True))
seen("thresholds at most apart", f"{np.abs(apart).max():.1e}", "3.6e-08")
exact = {"rec_thresholds": OWN.tolist()}
numbers = range(1, OBJECTS + 1)
pycocotools = [by_pycocotools(found) for found in numbers]
differ = {
    found: (value, by_torchmetrics(found))
    for found, value in zip(numbers, pycocotools)
    if value != by_torchmetrics(found)
}
seen("found: (pycocotools, torchmetrics)", differ, {6: (0.604, 0.5941), 7: (0.6931, 0.703), 8: (0.802, 0.7921)})
seen("the same with thresholds in float64", [by_torchmetrics(found, **exact) for found in numbers] == pycocotools)
PY
