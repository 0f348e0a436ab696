#!/usr/bin/env bash
# pillow_sixteen_bit_turns: a 16-bit picture turned with interpolation comes back as noise below 256
# packages: pillow==13.0.0 numpy==2.4.6
# guess: rotate and transform of mode I;16 give what they give for the same values in mode F, rounded.
# seen: With NEAREST they do, but for 4 of 4,096 pixels, which take a neighbour. With BILINEAR and BICUBIC the
#   interpolation runs over single bytes: of a ramp up to 50,400 the result has nothing above 255, and the mode stays
#   I;16. resize with BILINEAR gives the values of mode F, rounded.
# matters: X-rays and depth maps are opened as I;16, and turns and shears are the commonest augmentation: the model
#   trains on noise. Convert to F first, and back afterwards.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import numpy as np
from PIL import Image
from seen import seen

ramp = np.add.outer(np.arange(64) * 300, np.arange(64) * 500).astype(np.uint16)
deep = Image.fromarray(ramp)
exact = deep.convert("F")
BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
SHEAR = (1, 0.1, 0, 0, 1, 0)
CHANGES = {
    "turn, NEAREST": lambda picture: picture.rotate(7),
    "turn, BILINEAR": lambda picture: picture.rotate(7, BILINEAR),
    "turn, BICUBIC": lambda picture: picture.rotate(7, BICUBIC),
    "shear, BILINEAR": lambda picture: picture.transform((64, 64), Image.Transform.AFFINE, SHEAR, BILINEAR),
    "size, BILINEAR": lambda picture: picture.resize((32, 32), BILINEAR),
}


def inner_range(picture):
    values = np.asarray(picture)
    side = len(values) // 4
    inner = values[side:-side, side:-side]
    return round(float(inner.min())), round(float(inner.max()))


for name, change in CHANGES.items():
    print(name, "in I;16", inner_range(change(deep)), "in F", inner_range(change(exact)))
seen("mode after the turn", deep.rotate(7, BILINEAR).mode, "I;16")
for name, others in (("turn, NEAREST", 4), ("size, BILINEAR", 0)):
    apart = np.abs(np.asarray(CHANGES[name](deep)).astype(float) - np.asarray(CHANGES[name](exact)))
    seen(f"{name}: pixels further from those in F than by rounding", int((apart > 0.5).sum()), others)
right = [name for name, change in CHANGES.items() if inner_range(change(deep))[1] > 255]
seen("above 255", right, ["turn, NEAREST", "size, BILINEAR"])
PY
