#!/usr/bin/env bash
# key_mapping_undone_on_save: a model loaded with key_mapping is saved under the old names, which it no longer loads
# packages: transformers==5.24.0 torch==2.15.0
# guess: key_mapping renames while loading; save_pretrained writes the names of the model, so that the copy loads
#   plainly.
# seen: save_pretrained maps the names back. from_pretrained on the copy without the mapping misses every renamed
#   weight, leaves it at random values, and raises nothing.
# matters: Somebody who fine-tunes a checkpoint with foreign names and publishes the result publishes a folder whose
#   config and class say one thing and whose weights another. Save model.state_dict() under its own names.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from safetensors.torch import load_file, save_file
from seen import seen
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 40}
model = LlamaForCausalLM(LlamaConfig(**sizes))
model.save_pretrained("foreign")
weights = load_file("foreign/model.safetensors")
renamed = {name.replace("model.layers", "model.blocks"): weight for name, weight in weights.items()}
save_file(renamed, "foreign/model.safetensors", metadata={"format": "pt"})

mapped = LlamaForCausalLM.from_pretrained("foreign", key_mapping={r"model\.blocks": "model.layers"})
learned = model.model.layers[0].mlp.up_proj.weight
seen("the mapping loads the weights", torch.equal(mapped.model.layers[0].mlp.up_proj.weight, learned))
seen("names in the model", any("blocks" in name for name in mapped.state_dict()), False)

mapped.save_pretrained("copy")
written = load_file("copy/model.safetensors")
seen("renamed weights in the copy", sum("model.blocks" in name for name in written), 9)

again, report = LlamaForCausalLM.from_pretrained("copy", output_loading_info=True)
seen("missing when the copy is loaded", len(report["missing_keys"]), 9)
seen("the copy has the weights", torch.equal(again.model.layers[0].mlp.up_proj.weight, learned), False)
PY
