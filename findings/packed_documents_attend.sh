#!/usr/bin/env bash
# packed_documents_attend: position_ids that restart part packed documents only without a cache, and not in every family
# packages: transformers==5.24.0 torch==2.15.0
# guess: With sdpa and no attention mask, position_ids that restart at 0 keep packed documents apart in each decoder.
# seen: Only where use_cache=False is given as well: by default forward makes a cache, and the second document attends
#   to the first. Llama, Mistral, GPT-2 and GPT-NeoX then keep documents apart; OPT, GPT-OSS, BioGPT, BLOOM and the
#   original GPT never do, nor do state-space and convolution layers (Mamba, LFM2, Qwen3-Next).
# matters: A loop of one's own that packs rows trains each document on what stands before it. Pass use_cache=False, and
#   compare a document's logits in a pack with those of the document alone before training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from seen import seen
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

COMMON = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
COMMON |= {
    "intermediate_size": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "max_position_embeddings": 64,
}
GROUPED = {"num_key_value_heads": 2}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4}
DELTA = {"head_dim": 8, "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8}
DELTA |= {"linear_value_head_dim": 8, "layer_types": ["linear_attention", "full_attention"], "num_experts": 2}
DELTA |= {"num_experts_per_tok": 1, "mlp_only_layers": [0, 1]}
EXPERTS = {"head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1}
FAMILIES = {
    "llama": GROUPED,
    "mistral": GROUPED | {"sliding_window": 16},
    "gpt2": GPT2,
    "gpt_neox": {},
    "opt": {"word_embed_proj_dim": 32, "ffn_dim": 64},
    "gpt_oss": GROUPED | EXPERTS | {"layer_types": ["full_attention", "full_attention"]},
    "biogpt": {},
    "bloom": {"n_layer": 2, "n_head": 4},
    "openai-gpt": GPT2,
    "mamba": {"state_size": 8},
    "lfm2": GROUPED | {"layer_types": ["conv", "full_attention"], "conv_L_cache": 3},
    "qwen3_next": GROUPED | DELTA,
}
APART = {"llama", "mistral", "gpt2", "gpt_neox"}


def leak(model, **options):
    """Return how far the second document's logits are from those alone, relative to the largest."""
    first, second = torch.arange(10, 22)[None], torch.arange(30, 38)[None]
    positions = torch.cat([torch.arange(12), torch.arange(8)])[None]
    with torch.no_grad():
        alone = model(input_ids=second, use_cache=False).logits[0]
        packed = model(input_ids=torch.cat([first, second], 1), position_ids=positions, **options).logits[0, 12:]
    return ((packed - alone).abs().max() / alone.abs().max()).item()


for family, settings in FAMILIES.items():
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**COMMON | settings)).eval()
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and "A_log" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    seen(f"{family}: apart with use_cache=False", leak(model, use_cache=False) < 1e-4, family in APART)
    seen(f"{family}: apart as it is", leak(model) < 1e-4, False)
PY
