#!/usr/bin/env bash
# datumaro_turned_boxes: CVAT's ellipses are not read, and its turned boxes are left out of what is exported
# packages: datumaro==1.13.12 numpy==2.4.6 pillow==12.3.0
# guess: A box with rotation is read as turned, and exported to COCO, VOC and YOLO as the upright box around it.
# seen: The turned box is read, with a right upright box around it, and left out of COCO, Pascal VOC and YOLO files.
#   An ellipse is left out when it is read. Only the upright box arrives in the three formats.
# matters: Turned objects become background that the detector is punished for finding. Count annotations before and
#   after a conversion, and replace turned boxes by get_bbox() and ellipses by polygons first.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

mkdir -p cvat/images
python - <<'PY'
import json
from pathlib import Path

import datumaro
from PIL import Image
from seen import seen

Image.new("RGB", (200, 100)).save("cvat/images/a.jpg")
Path("cvat/annotations.xml").write_text("""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><labels><label><name>cat</name><attributes></attributes></label></labels></task></meta>
<image id="0" name="a.jpg" width="200" height="100">
<box label="cat" occluded="0" xtl="10" ytl="10" xbr="40" ybr="30" z_order="0"></box>
<box label="cat" occluded="0" xtl="50" ytl="40" xbr="150" ybr="60" rotation="30" z_order="0"></box>
<ellipse label="cat" occluded="0" cx="150" cy="50" rx="10" ry="20" z_order="0"></ellipse>
</image></annotations>
""")
data = datumaro.Dataset.import_from("cvat", "cvat")
shapes = [one for item in data for one in item.annotations]
seen("read", sorted(type(one).__name__ for one in shapes), ["Bbox", "RotatedBbox"])
turned = next(one for one in shapes if type(one).__name__ == "RotatedBbox")
seen("the upright box around it", [round(float(one), 1) for one in turned.get_bbox()], [51.7, 16.3, 96.6, 67.3])


def exported(form):
    """Export, and return the text of the files that hold boxes."""
    data.export(form, form, save_media=True)
    files = sorted(Path(form).rglob("*.*"))
    return {path.name: path.read_text() for path in files if path.suffix in (".json", ".xml", ".txt")}


coco = [json.loads(text) for name, text in exported("coco_instances").items() if name.startswith("instances")]
seen("COCO", [one["bbox"] for file in coco for one in file["annotations"]], [[10.0, 10.0, 30.0, 20.0]])
seen("Pascal VOC", exported("voc")["a.xml"].count("<object>"), 1)
seen("YOLO", len(exported("yolo")["a.txt"].splitlines()), 1)
PY
