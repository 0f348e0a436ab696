#!/usr/bin/env bash
# autopeft_ignores_the_config_beside_the_adapter: a config.json saved with an adapter takes no part when it is loaded
# packages: peft==0.21.2 transformers==5.24.0 torch==2.15.0
# guess: AutoPeftModelForCausalLM reads the config.json that lies in the adapter's folder, as the tokenizer there is
#   used.
# seen: It takes the base's config. A rope scaling that the adapter was trained with (factor 4) is gone, and the
#   outputs are another model's.
# matters: Context extension, a changed attention window or label names are settings, not weights: they are lost
#   unless the loader passes config=AutoConfig.from_pretrained(ADAPTER) or the base is saved with them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
from seen import seen
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 40}
LlamaForCausalLM(LlamaConfig(**SIZES, initializer_range=0.3)).save_pretrained("base")

config = AutoConfig.from_pretrained("base")
config.rope_parameters = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
extended = LlamaForCausalLM.from_pretrained("base", config=config)
lora = LoraConfig(target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
trained = get_peft_model(extended, lora).eval()
trained.save_pretrained("adapter")
config.save_pretrained("adapter")

ids = torch.arange(60)[None] % 40
with torch.no_grad():
    expected = trained(ids).logits
    loaded = AutoPeftModelForCausalLM.from_pretrained("adapter").eval()
    told = AutoConfig.from_pretrained("adapter")
    seen("rope in the adapter's folder", told.rope_parameters["rope_type"], "linear")
    seen("rope of the loaded model", loaded.config.rope_parameters["rope_type"], "default")
    seen("its outputs are the trained ones", torch.allclose(loaded(ids).logits, expected, atol=1e-3), False)
    right = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained("base", config=told), "adapter").eval()
    seen("with the config given they are", torch.allclose(right(ids).logits, expected, atol=1e-5))
PY
