#!/usr/bin/env bash
# onnx_input_names_follow_keywords: torch.onnx.export gives input_names out in the order in which the caller wrote keywords
# packages: torch==2.15.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
# guess: input_names name the inputs in the order of the model's own signature, whether they are given by position or keyword.
# seen: with kwargs={"offsets": ..., "weights": ...} and input_names ids, weights, offsets, the input called weights is what
#   the model calls offsets. The export succeeds, its own check too, and a runtime that feeds inputs by name gets 132 where
#   torch gives 123. By position, or with keywords in the order of the signature, names and inputs agree.
# matters: A BERT exported with its tokenizer's dictionary can have attention_mask and token_type_ids exchanged: both are
#   zeros and ones of one shape, and the logits are only a little wrong. Give inputs by position, and compare outputs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import onnxruntime
import torch
from seen import seen
from torch import nn

NAMES = ["ids", "weights", "offsets"]


class Model(nn.Module):
    def forward(self, ids, weights=None, offsets=None):
        return 100 * ids + 10 * weights + offsets


ones, twos, threes = (torch.full((2, 3), float(value)) for value in (1, 2, 3))


def answer(args, kwargs):
    program = torch.onnx.export(
        Model().eval(), args, kwargs=kwargs, input_names=NAMES, dynamo=True, verify=True, verbose=False
    )
    program.save("model.onnx")
    session = onnxruntime.InferenceSession("model.onnx")
    given = dict(zip(NAMES, (ones.numpy(), twos.numpy(), threes.numpy()), strict=True))
    return [one.name for one in session.get_inputs()], float(session.run(None, given)[0][0, 0])


seen("torch", float(Model()(ones, twos, threes)[0, 0]), 123.0)
seen("exported by position", answer((ones, twos, threes), {}), (NAMES, 123.0))
seen("keywords in the order of the signature", answer((ones,), {"weights": twos, "offsets": threes}), (NAMES, 123.0))
seen("keywords in another order", answer((ones,), {"offsets": threes, "weights": twos}), (NAMES, 132.0))
PY
