#!/usr/bin/env bash
# datasets_wide_pixels: 16-bit colour and 64-bit arrays wrap around in an Image column
# packages: datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
# guess: An array that no picture can hold, such as 16-bit colour, is refused with a TypeError.
# seen: Colour arrays of float64 are refused; those of uint16 are stored modulo 256: 256 becomes 0, 511 becomes 255.
#   Grey arrays of uint16 and int32 come back exactly; of int64 they are stored modulo 2**32.
# matters: 16-bit colour, which microscopes and satellites write, becomes noise that a model can still train on. Divide
#   to uint8 yourself, or use an Array3D column.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import numpy as np
from datasets import Dataset, Features, Image
from seen import seen


def stored(values, kind, colour=False):
    array = np.array([values], dtype=kind)
    if colour:
        array = np.repeat(array[..., None], 3, axis=2)
    column = Dataset.from_dict({"image": [array]}, features=Features({"image": Image()}))
    pixels = np.asarray(column[0]["image"])
    return (pixels[..., 0] if colour else pixels)[0].tolist()


def refused(values, kind):
    try:
        stored(values, kind, colour=True)
    except TypeError:
        return True
    return False


seen("grey uint16", stored([0, 256, 511, 65535], "uint16"), [0, 256, 511, 65535])
seen("grey int32", stored([0, 256, 65536, 2**31 - 1], "int32"), [0, 256, 65536, 2**31 - 1])
seen("grey int64", stored([0, 2**31 - 1, 2**32, 2**32 + 7], "int64"), [0, 2**31 - 1, 0, 7])
seen("colour uint16", stored([0, 255, 256, 511], "uint16", colour=True), [0, 255, 0, 255])
seen("colour float64 refused", refused([0, 255], "float64"))
PY
