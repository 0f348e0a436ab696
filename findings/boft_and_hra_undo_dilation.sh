#!/usr/bin/env bash
# boft_and_hra_undo_dilation: a fresh BOFT or HRA adapter on a dilated convolution makes it an undilated one
# packages: peft==0.21.2 torch==2.15.0
# guess: A fresh adapter changes nothing. peft refuses convolutions that a method cannot compute, as OFT does dilated ones.
# seen: BOFT and HRA take Conv2d(dilation=2), and compute it without dilation while the adapter is on: outputs of the
#   fresh model are others (of another size, too: 18 for 16 pixels), and merging gives the dilated layer back. LoHa and
#   LoKr carry dilation and groups; none of the four carries padding_mode: a trained LoHa on a circular convolution
#   merges to another model.
# matters: An adapter on a segmentation network is trained on a network that is not the merged one. Compare the fresh
#   model's outputs with the base's, and the merged model's with the trained one's, before you train.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from peft import BOFTConfig, HRAConfig, LoHaConfig, LoKrConfig, OFTConfig, get_peft_model
from seen import seen
from torch import nn

X = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
CONFIGS = {
    "BOFT": lambda: BOFTConfig(target_modules=["0"], boft_block_size=4),
    "HRA": lambda: HRAConfig(target_modules=["0"]),
    "LoHa": lambda: LoHaConfig(target_modules=["0"]),
    "LoKr": lambda: LoKrConfig(target_modules=["0"]),
}


def attached(name, **convolution):
    torch.manual_seed(0)
    base = nn.Sequential(nn.Conv2d(8, 8, 3, **convolution)).eval()
    plain = base(X)
    return plain, get_peft_model(base, CONFIGS[name]()).eval()


def merges_equal(name, **convolution):
    model = attached(name, **convolution)[1]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
        trained = model(X)
        merged = model.merge_and_unload()(X)
    return trained.shape == merged.shape and torch.allclose(trained, merged, atol=1e-5)


with torch.no_grad():
    for name in CONFIGS:
        plain, model = attached(name, padding=2, dilation=2)
        side = model(X).shape[-1]
        seen(f"{name}, fresh: pixels of the output, 16 before", side, 18 if name in ("BOFT", "HRA") else 16)
        same = torch.allclose(model.merge_and_unload()(X), plain, atol=1e-5)
        seen(f"{name}, fresh: merged, the layer is the base's again", same)

for name in ("LoHa", "LoKr"):
    seen(f"{name} merges dilation as trained", merges_equal(name, padding=2, dilation=2))
    seen(f"{name} merges groups as trained", merges_equal(name, padding=1, groups=4))
for name in CONFIGS:
    seen(f"{name} merges circular padding as trained", merges_equal(name, padding=1, padding_mode="circular"), False)

refused = ""
try:
    torch.manual_seed(0)
    get_peft_model(nn.Sequential(nn.Conv2d(8, 8, 3, dilation=2)), OFTConfig(target_modules=["0"], oft_block_size=4))
except ValueError as error:
    refused = str(error)
seen("OFT refuses dilation", "dilation > 1 is not supported" in refused)
PY
