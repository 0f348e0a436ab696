#!/usr/bin/env bash
# faster_coco_eval_area: without "area" all objects are small, where pycocotools stops
# packages: faster-coco-eval==1.8.0 pycocotools==2.0.11 hotcoco==1.3.0 numpy==2.4.6
# guess: Annotations without "area" end in KeyError in faster-coco-eval as in pycocotools, which it replaces.
# seen: pycocotools raises KeyError. faster-coco-eval takes the area as 0: each object, even one of 300 by 300 pixels,
#   counts as small, and there is no figure for medium and large. hotcoco, another replacement, takes width times
#   height.
# matters: Annotations converted from YOLO or Pascal VOC often lack "area". The figures by size then describe nothing,
#   and no error tells. Write the area before evaluation.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import contextlib
import copy
import io

import faster_coco_eval
import hotcoco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from seen import seen

BOX = [10, 10, 300, 300]
TRUTH = {
    "images": [{"id": 1, "width": 400, "height": 400}],
    "categories": [{"id": 1, "name": "one"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "iscrowd": 0}],
}
RESULTS = [{"image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.9}]


def by_pycocotools(truth):
    index = COCO()
    index.dataset = truth
    index.createIndex()
    return COCOeval(index, index.loadRes(copy.deepcopy(RESULTS)), "bbox")


def by_faster(truth):
    index = faster_coco_eval.COCO(truth)
    return faster_coco_eval.COCOeval_faster(index, index.loadRes(copy.deepcopy(RESULTS)), "bbox")


def by_hotcoco(truth):
    index = hotcoco.COCO(truth)
    return hotcoco.COCOeval(index, index.load_res(copy.deepcopy(RESULTS)), "bbox")


def by_size(make, **annotation):
    """Average precision of all, small, medium and large objects."""
    truth = copy.deepcopy(TRUTH)
    truth["annotations"][0].update(annotation)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = make(truth)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
    except KeyError as error:
        return f"KeyError: {error}"
    return [round(float(evaluation.stats[at])) for at in (0, 3, 4, 5)]


for make in (by_pycocotools, by_faster, by_hotcoco):
    seen(f"{make.__name__}, area given", by_size(make, area=90_000), [1, -1, -1, 1])
seen("pycocotools, no area", by_size(by_pycocotools), "KeyError: 'area'")
seen("faster-coco-eval, no area", by_size(by_faster), [1, 1, -1, -1])
seen("hotcoco, no area", by_size(by_hotcoco), [1, -1, -1, 1])
PY
