#!/usr/bin/env bash
# qwen3_gguf_heads_are_128_wide: transformers takes the heads of a Qwen3 in GGUF to be 128 wide, whatever the file says
# packages: transformers==5.24.0 accelerate==1.15.0 torch==2.15.0 gguf==0.19.0 numpy==2.4.6
# guess: qwen3.attention.key_length of the file becomes head_dim of the config, as the other sizes of the file do.
# seen: the config has head_dim 128 where the file has 32. Loading stops: the weights of the file do not fit that config. The
#   published sizes of Qwen3 all have heads of 128, so that nobody meets it there.
# matters: A Qwen3 of other heads (pruned, distilled, made small for a test) is right in GGUF for llama.cpp, and cannot be
#   read again by transformers. Set head_dim in a config of your own, and load the tensors yourself.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from gguf import MODEL_ARCH, GGUFWriter, get_tensor_name_map
from seen import seen
from transformers import AutoConfig, AutoModelForCausalLM, Qwen3Config, Qwen3ForCausalLM

torch.manual_seed(0)
config = Qwen3Config(
    vocab_size=64,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=1,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=64,
    tie_word_embeddings=False,
)
writer = GGUFWriter("model.gguf", "qwen3")
writer.add_context_length(64)
writer.add_embedding_length(64)
writer.add_block_count(1)
writer.add_feed_forward_length(96)
writer.add_head_count(4)
writer.add_head_count_kv(2)
writer.add_key_length(32)
writer.add_value_length(32)
writer.add_layer_norm_rms_eps(1e-6)
writer.add_rope_freq_base(10000.0)
writer.add_vocab_size(64)
names = get_tensor_name_map(MODEL_ARCH.QWEN3, 1)
for name, tensor in Qwen3ForCausalLM(config).state_dict().items():
    writer.add_tensor(names.get_name(name, (".weight", ".bias")), tensor.float().numpy())
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
found = AutoConfig.from_pretrained(".", gguf_file="model.gguf")
seen("hidden size, heads", (found.hidden_size, found.num_attention_heads, found.num_key_value_heads), (64, 4, 2))
seen("width of a head, of 32", found.head_dim, 128)
try:
    AutoModelForCausalLM.from_pretrained(".", gguf_file="model.gguf")
    outcome = "loaded"
except RuntimeError as error:
    outcome = "ignore_mismatched_sizes" in str(error)
seen("loading stops at sizes that do not fit", outcome)
PY
