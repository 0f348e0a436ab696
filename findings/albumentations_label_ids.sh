#!/usr/bin/env bash
# albumentations_label_ids: ids handed along with boxes come back as the ids of other objects
# packages: albumentations==2.0.8 numpy==2.4.6
# guess: Whole numbers in label_fields come back as floats of the same value.
# seen: They go through float32: above 2**24 they come back rounded. COCO's 900100259571 comes back as 900100259840, and
#   two neighbouring ids as one. Texts, of digits too, come back as they were.
# matters: Ids in label_fields are how boxes that a crop dropped are found again; COCO's crowd regions and any id made
#   from a time or a hash are then joined to other objects. Hand the ids along as text.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

export NO_ALBUMENTATIONS_UPDATE=1
python - <<'PY'
import albumentations as A
import numpy as np
from seen import seen

CROWD = 900100259571


def back(ids):
    """Hand ids along with boxes through a transform that changes nothing."""
    change = A.Compose([A.NoOp()], bbox_params=A.BboxParams("coco", label_fields=["ids"]))
    picture = np.zeros((100, 100, 3), np.uint8)
    return change(image=picture, bboxes=[[10, 10, 20, 20]] * len(ids), ids=ids)["ids"]


seen("small ids", back([1, 2**24]), [1.0, 2.0**24])
seen("neighbours above 2**25", back([2**25 + 1, 2**25 + 2]), [2.0**25, 2.0**25])
seen("an id of COCO's crowds", [int(one) for one in back([CROWD, 1])], [900100259840, 1])
seen("as text", back([str(CROWD), "1"]), [str(CROWD), "1"])
PY
