#!/usr/bin/env bash
# fresh_oft_changes_convolutions: a fresh OFT adapter on a 3 x 3 convolution multiplies the pixels of its input by up to 9
# packages: peft==0.21.2 torch==2.15.0
# guess: OFT starts at the identity rotation, so that a fresh adapter changes nothing, and refuses what it cannot compute.
# seen: It cuts the input into overlapping patches, rotates them, and adds them up again, without a division by how many
#   patches a pixel is in: 9 inside the image for 3 x 3, and 3, 2 and 1 towards a corner; 25 for 5 x 5. All parameters
#   are 0, and outputs of at most 2.2 move by 6.3; no warning. Merged, the layer is the base's again. 1 x 1 is right.
# matters: The adapter is trained on a network that is not the base, and that the merged one is not. Compare the fresh
#   model's outputs with the base's before you train; on convolutions leave OFT to 1 x 1.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import warnings

import torch
from peft import OFTConfig, get_peft_model
from seen import seen
from torch import nn

X = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))


def fresh(kernel):
    """Return the base's outputs, the model with an adapter, what is warned of, and the adapter's rotation."""
    torch.manual_seed(0)
    base = nn.Sequential(nn.Conv2d(8, 8, kernel, padding=kernel // 2)).eval()
    plain = base(X)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = get_peft_model(base, OFTConfig(target_modules=["0"], oft_block_size=4)).eval()
    return plain, model, said, model.base_model.model[0].oft_R["default"]


with torch.no_grad():
    for kernel, inside in ((1, 1), (3, 9), (5, 25)):
        plain, model, said, rotation = fresh(kernel)
        seen(f"{kernel} x {kernel}, fresh: all parameters are 0", bool((rotation.weight == 0).all()))
        seen(f"{kernel} x {kernel}, fresh: warnings", len(said), 0)
        ones = rotation(torch.ones_like(X))[0, 0]
        seen(f"{kernel} x {kernel}, fresh: a pixel of 1 inside the image, before the convolution", ones[8, 8].item(), inside)
        if kernel == 3:
            seen("3 x 3, fresh: pixels of 1 at a corner", ones[:2, :3].tolist(), [[1, 2, 3], [2, 4, 6]])
            seen("3 x 3: the largest output of the base", round(plain.abs().max().item(), 1), 2.2)
            seen("3 x 3, fresh: outputs move by up to", round((model(X) - plain).abs().max().item(), 1), 6.3)
        same = torch.allclose(model(X), plain, atol=1e-5)
        seen(f"{kernel} x {kernel}, fresh: outputs are the base's", same, kernel == 1)
        merged = model.merge_and_unload()(X)
        seen(f"{kernel} x {kernel}, fresh: merged, the layer is the base's again", torch.allclose(merged, plain, atol=1e-5))
PY
