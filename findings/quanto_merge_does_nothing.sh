#!/usr/bin/env bash
# quanto_merge_does_nothing: peft merges LoRA into a quanto layer without an error and without an effect
# packages: optimum-quanto==0.2.7 peft==0.21.2 transformers==5.24.0 torch==2.15.0
# guess: peft either knows quanto's layers and merges into their dequantized weights, or refuses to merge them.
# seen: It takes QLinear for a plain Linear and trains it. merge_and_unload and merge_adapter succeed, and what comes
#   out is the base: the outputs differ from the adapter's by all that was learned.
# matters: The merged model that is exported has forgotten the fine-tuning, and peft says that it is merged. Compare
#   logits before and after a merge; merge into the unquantized base.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from optimum.quanto import freeze, qint8, quantize
from peft import LoraConfig, get_peft_model
from seen import seen

INPUTS = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))


def trained():
    """Return a frozen int8 model's outputs, and the model with a LoRA that has learned."""
    torch.manual_seed(0)
    base = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.Linear(32, 32))
    quantize(base, weights=qint8)
    freeze(base)
    plain = base(INPUTS).detach()
    model = get_peft_model(base.eval(), LoraConfig(target_modules=["0"], r=4)).eval()
    torch.nn.init.normal_(model.base_model.model[0].lora_B["default"].weight, std=0.1)
    return plain, model


def distance(first, second):
    return (first - second).abs().max().item()


plain, model = trained()
seen("layer of peft", type(model.base_model.model[0]).__module__, "peft.tuners.lora.layer")
learned = model(INPUTS).detach()
seen("the adapter changes the outputs by more than 0.1", distance(learned, plain) > 0.1)

merged = model.merge_and_unload()
seen("layer after the merge", type(merged[0]).__name__, "QLinear")
seen("the merged model gives what was learned", distance(merged(INPUTS), learned) < 0.05, False)
seen("the merged model is the base to the last bit", torch.equal(merged(INPUTS), plain))

plain, model = trained()
model.merge_adapter()
seen("merge_adapter calls the layer merged", model.base_model.model[0].merged)
seen("and it gives the base", torch.equal(model(INPUTS), plain))
PY
