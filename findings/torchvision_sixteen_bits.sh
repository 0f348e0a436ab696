#!/usr/bin/env bash
# torchvision_sixteen_bits: scaling to and from 16 bits turns white to black, grey or infinity
# packages: torchvision==0.29.2 torch==2.15.0
# guess: to_dtype(scale=True) maps the whole range of one type to that of the other: 65535, 255 and 1.0 are one white.
# seen: float32 1.0 becomes uint16 0. uint8 255 becomes 65280, which is 0.9961 in float. uint16 65535 becomes infinity
#   in float16. From uint16 to float32 and bfloat16 white is 1.0. uint8 to bfloat16 and back changes half of the 256
#   values.
# matters: Microscopy, X-rays and depth maps are 16 bits: augmentation in float and back blackens saturated pixels, and
#   a pipeline in half precision trains on infinity. Scale to float32 once, and cast from there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from seen import seen
from torchvision.transforms.v2.functional import to_dtype


def scaled(tensor, kind):
    return [round(one, 4) for one in to_dtype(tensor, kind, scale=True).tolist()]


seen("0, 1/2 and 1 as uint16", scaled(torch.tensor([0.0, 0.5, 1.0]), torch.uint16), [0, 32768, 0])
seen("255 as uint16", scaled(torch.tensor([255], dtype=torch.uint8), torch.uint16), [65280])
seen("65280 as float32", scaled(torch.tensor([65280]).to(torch.uint16), torch.float32), [0.9961])
deep = torch.tensor([65535]).to(torch.uint16)
for kind, white in ((torch.float32, 1.0), (torch.bfloat16, 1.0), (torch.float16, float("inf"))):
    seen(f"65535 as {kind}", scaled(deep, kind), [white])
greys = torch.arange(256, dtype=torch.uint8)
for kind, changed in ((torch.float32, 0), (torch.float16, 16), (torch.bfloat16, 128)):
    back = to_dtype(to_dtype(greys, kind, scale=True), torch.uint8, scale=True)
    seen(f"of 256 greys changed by {kind} and back", int((back != greys).sum()), changed)
PY
