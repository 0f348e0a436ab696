#!/usr/bin/env bash
# supervision_round_trip: a COCO object of two parts becomes two objects in YOLO and Pascal VOC files
# packages: supervision==0.31.2 pycocotools==2.0.11 numpy==2.4.6
# guess: A round trip by as_pascal_voc and as_yolo keeps the boxes: the VOC reader takes off the 1 that the writer adds.
# seen: Where there are masks the boxes are made anew from each outline. One object in two parts (a car behind a post)
#   becomes two objects, each with a box of its own; VOC boxes also come back a pixel wider and higher. Category ids 5
#   and 9 become 1 and 2 in COCO, image id 10 becomes 1.
# matters: Counts of objects, and with them recall and average precision, change with the format of the annotations.
#   Results must not be joined to the first COCO file by id. Compare counts after each conversion.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import json

import numpy as np
import supervision
from PIL import Image
from seen import seen

Image.fromarray(np.zeros((100, 200, 3), np.uint8)).save("a.png")
parts = [[10, 10, 30, 10, 30, 40, 10, 40], [40, 10, 60, 10, 60, 40, 40, 40]]
whole = [[100, 20, 150, 20, 150, 60, 100, 60]]
coco = {
    "images": [{"id": 10, "file_name": "a.png", "width": 200, "height": 100}],
    "categories": [{"id": 5, "name": "cat"}, {"id": 9, "name": "dog"}],
    "annotations": [
        {"id": 1, "category_id": 9, "bbox": [10, 10, 50, 30], "area": 1200, "segmentation": parts},
        {"id": 2, "category_id": 5, "bbox": [100, 20, 50, 40], "area": 2000, "segmentation": whole},
    ],
}
for one in coco["annotations"]:
    one.update(image_id=10, iscrowd=0)
with open("coco.json", "w") as file:
    json.dump(coco, file)


def boxes(data):
    return [box for _, _, detections in data for box in detections.xyxy.round().astype(int).tolist()]


read = supervision.DetectionDataset
data = read.from_coco(".", "coco.json", force_masks=True)
seen("COCO", boxes(data), [[10, 10, 60, 40], [100, 20, 150, 60]])
data.as_pascal_voc(annotations_directory_path="voc")
seen("Pascal VOC", boxes(read.from_pascal_voc(".", "voc")), [[10, 10, 31, 41], [40, 10, 61, 41], [100, 20, 151, 61]])
data.as_yolo(annotations_directory_path="yolo", data_yaml_path="yolo.yaml")
seen("YOLO", boxes(read.from_yolo(".", "yolo", "yolo.yaml")), [[10, 10, 30, 40], [40, 10, 60, 40], [100, 20, 150, 60]])
data.as_coco(annotations_path="again.json")
with open("again.json") as file:
    again = json.load(file)
seen("COCO again, objects", len(again["annotations"]), 2)
seen("category ids", [one["id"] for one in again["categories"]], [1, 2])
seen("image ids", [one["id"] for one in again["images"]], [1])
PY
