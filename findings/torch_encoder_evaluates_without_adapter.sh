#!/usr/bin/env bash
# torch_encoder_evaluates_without_adapter: LoRA in nn.TransformerEncoderLayer trains, and is left out of evaluation
# packages: peft==0.21.2 torch==2.15.0
# guess: LoRA on linear1 of torch's own encoder layer acts in training and in evaluation, as on any nn.Linear.
# seen: In training the adapter acts. After model.eval() it has no effect at all, with gradients or without: the layer
#   takes a fused path, which reads linear1.weight (peft hands out the base's) and does not call linear1. Merged, the
#   model computes what was trained again.
# matters: The loss of training falls while every evaluation shows the base, so that the best checkpoint is any. Switch
#   the path off, torch.backends.mha.set_fastpath_enabled(False), before you evaluate an unmerged adapter.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from peft import LoraConfig, get_peft_model
from seen import seen
from torch import nn

torch.manual_seed(0)
X = torch.randn(2, 5, 16)
base = nn.Sequential(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True), nn.Linear(16, 2)).eval()
plain = base(X).detach()
model = get_peft_model(base, LoraConfig(target_modules=["linear1"], init_lora_weights=False))


def changed(outputs):
    return (outputs - plain).abs().max().item() > 1e-3


trained = model.train()(X).detach()
seen("the adapter changes outputs in training", changed(trained))
model.eval()
seen("in evaluation, with gradients", changed(model(X).detach()), False)
with torch.no_grad():
    seen("in evaluation, without gradients", changed(model(X)), False)
    torch.backends.mha.set_fastpath_enabled(False)
    seen("in evaluation, without the fast path", changed(model(X)))
    torch.backends.mha.set_fastpath_enabled(True)
    merged = model.merge_and_unload()(X)
seen("merged, it is the trained model", torch.allclose(merged, trained, atol=1e-5))
PY
