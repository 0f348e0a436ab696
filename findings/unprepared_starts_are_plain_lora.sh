#!/usr/bin/env bash
# unprepared_starts_are_plain_lora: init_lora_weights lora_ga without its preparation starts as plain LoRA, unsaid
# packages: peft==0.21.2 torch==2.15.0
# guess: get_peft_model raises where the gradients of LoRA-GA, or the activations of EVA and CorDA, were not collected.
# seen: Only corda raises. lora_ga gives the very weights of plain LoRA (the same random A, B zero, the base unchanged)
#   without a warning; eva leaves B at zero and the base unchanged, with another random A (its values come with the seed),
#   so that it starts where plain LoRA does. Its one warning is about low_cpu_mem_usage.
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


def started(start, seed=1):
    torch.manual_seed(seed)
    config = LoraConfig(r=2, target_modules=["0"], init_lora_weights=start)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        layer = get_peft_model(copy.deepcopy(BASE), config).base_model.model[0]
    return layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.base_layer.weight, [str(one.message) for one in said]


plain, gradient, activations = started(True), started("lora_ga"), started("eva")
seen("lora_ga: A is that of plain LoRA", torch.equal(gradient[0], plain[0]))
seen("lora_ga: B is zero", bool((gradient[1] == 0).all()))
seen("lora_ga: the base is unchanged", torch.equal(gradient[2], BASE[0].weight))
seen("lora_ga: warnings", gradient[3], [])
seen("eva: B is zero", bool((activations[1] == 0).all()))
seen("eva: the base is unchanged", torch.equal(activations[2], BASE[0].weight))
seen("eva: A is that of plain LoRA", torch.equal(activations[0], plain[0]), False)
seen("eva: A is the same for a seed", torch.equal(activations[0], started("eva")[0]))
seen("eva: A is another for another seed", torch.equal(activations[0], started("eva", seed=2)[0]), False)
seen("eva: warnings", len(activations[3]), 1)
seen("eva: the warning is about low_cpu_mem_usage", "low_cpu_mem_usage" in activations[3][0])
try:
    started("corda")
    raised = False
except ValueError:
    raised = True
seen("corda raises", raised)
PY
