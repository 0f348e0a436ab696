#!/usr/bin/env bash
# unprepared_starts_are_plain_lora: init_lora_weights lora_ga without its preparation starts as plain LoRA, unsaid
# packages: peft==0.21.2 torch==2.15.0
# guess: get_peft_model raises where the gradients of LoRA-GA, or the activations of EVA and CorDA, were not collected.
# seen: Only corda raises. lora_ga gives the very weights of plain LoRA (the same random A, B zero, the base unchanged)
#   without a warning; eva leaves B at zero, so that it starts where plain LoRA does, and warns of a default alone.
# matters: A comparison of starts compares plain LoRA with itself, and adapter_config.json says lora_ga. Call
#   preprocess_loraga or initialize_lora_eva_weights, and check that the start differs from the default.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import copy
import warnings

import torch
from peft import LoraConfig, get_peft_model
from seen import seen
from torch import nn

torch.manual_seed(0)
BASE = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))


def started(start):
    torch.manual_seed(1)
    config = LoraConfig(r=2, target_modules=["0"], init_lora_weights=start)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        layer = get_peft_model(copy.deepcopy(BASE), config).base_model.model[0]
    return layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.base_layer.weight, len(said)


plain, gradient, activations = started(True), started("lora_ga"), started("eva")
seen("lora_ga: A is that of plain LoRA", torch.equal(gradient[0], plain[0]))
seen("lora_ga: B is zero", bool((gradient[1] == 0).all()))
seen("lora_ga: the base is unchanged", torch.equal(gradient[2], BASE[0].weight))
seen("lora_ga: warnings", gradient[3], 0)
seen("eva: B is zero", bool((activations[1] == 0).all()))
try:
    started("corda")
    raised = False
except ValueError:
    raised = True
seen("corda raises", raised)
PY
