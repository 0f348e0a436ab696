#!/usr/bin/env bash
# oft_never_drops_out: OFT's module_dropout is made and never applied
# packages: peft==0.21.2 torch==2.15.0
# guess: With module_dropout=0.9 nine of ten blocks of the rotation are the identity at each training step, at random.
# seen: two outputs in training mode are equal, and equal to those in evaluation mode; LoRA's dropout, beside it, works.
# matters: A regularized run is an unregularized one. Compare two forward passes in training mode before you rely on a
#   dropout.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from peft import LoraConfig, OFTConfig, get_peft_model
from seen import seen
from torch import nn

X = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))


def differ(config):
    torch.manual_seed(0)
    model = get_peft_model(nn.Sequential(nn.Linear(32, 32)), config).train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
        return not torch.equal(model(X), model(X))


oft = OFTConfig(target_modules=["0"], oft_block_size=4, r=0, module_dropout=0.9)
lora = LoraConfig(target_modules=["0"], lora_dropout=0.9)
seen("OFT: two training passes differ", differ(oft), False)
seen("LoRA: two training passes differ", differ(lora), True)
PY
