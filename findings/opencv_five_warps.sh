#!/usr/bin/env bash
# opencv_five_warps: OpenCV 5 turns and warps a picture to other pixels than OpenCV 4
# packages: opencv-python-headless==5.0.0.93 numpy==2.4.6
# guess: warpAffine with INTER_LINEAR differs from 4.14 by one grey level at most; resize, colours and JPEG are the
#   same.
# seen: Turned by 17 degrees, 12.5 % of the values differ from those of 4.14.0.94, by up to 3 grey levels; with
#   INTER_CUBIC 13.7 % do, and by up to 4 in warpPerspective. Resizing, colour spaces, blur and JPEG are equal bit for
#   bit.
# matters: Pose models cut each person out by warpAffine: scores of the same weights move with OpenCV alone. Pin it for
#   evaluation, and serve with the version of the training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

uv pip install --quiet --python venv --no-deps --target four opencv-python-headless==4.14.0.94
cat >pictures.py <<'PY'
import sys

import cv2
import numpy as np

noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
picture = cv2.GaussianBlur(noise, (5, 5), 1)
turn = cv2.getRotationMatrix2D((80, 60), 17, 1)
lens = np.vstack([turn, [0.0005, 0, 1]])
_, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
results = {"blur": picture, "JPEG": cv2.imdecode(packed, cv2.IMREAD_COLOR)}
for name in ("LINEAR", "CUBIC"):
    how = getattr(cv2, f"INTER_{name}")
    results[f"resize {name}"] = cv2.resize(picture, (97, 71), interpolation=how)
    results[f"warpAffine {name}"] = cv2.warpAffine(picture, turn, (160, 120), flags=how)
    results[f"warpPerspective {name}"] = cv2.warpPerspective(picture, lens, (160, 120), flags=how)
for name in ("HSV", "LAB", "GRAY"):
    results[name] = cv2.cvtColor(picture, getattr(cv2, f"COLOR_BGR2{name}"))
np.savez(sys.argv[1], **results)
print(cv2.__version__)
PY
python pictures.py five.npz
PYTHONPATH="four:$PYTHONPATH" python pictures.py four.npz
python - <<'PY'
import numpy as np
from seen import seen

four, five = np.load("four.npz"), np.load("five.npz")
apart, shares = {}, {}
for name in four.files:
    difference = np.abs(four[name].astype(int) - five[name].astype(int))
    apart[name] = int(difference.max())
    shares[name] = round(float((difference > 0).mean()) * 100, 1)
    print(name, "differs by up to", apart[name], "in", shares[name], "% of the values")
warps = {"warpAffine LINEAR": 3, "warpAffine CUBIC": 3, "warpPerspective LINEAR": 3, "warpPerspective CUBIC": 4}
seen("grey levels apart", {name: most for name, most in apart.items() if most}, warps)
seen("% of values, warpAffine", [shares[f"warpAffine {how}"] for how in ("LINEAR", "CUBIC")], [12.5, 13.7])
seen("equal", sorted(name for name in apart if apart[name] == 0), sorted(set(apart) - set(warps)))
PY
