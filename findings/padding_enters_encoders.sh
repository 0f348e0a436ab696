#!/usr/bin/env bash
# padding_enters_encoders: in some families of encoders a row's outputs depend on how far it is padded, mask or not
# packages: transformers==5.24.0 torch==2.15.0
# guess: An attention mask makes padding invisible, except in FNet, which has no mask, and in ConvBERT and CANINE,
#   whose convolutions run over the padding. MobileBERT and YOSO are safe.
# seen: MobileBERT and YOSO change too: MobileBERT joins each token's embedding with its neighbours', so the last
#   token sees the pad token's embedding; YOSO still counts masked keys. BERT, DeBERTa, ModernBERT, ESM are equal to
#   rounding.
# matters: With these families a prediction depends on the longest row of its batch, so metrics depend on the
#   evaluation batch size, and a server that does not pad gives other answers than the evaluation did.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import torch
from seen import seen
from transformers import CONFIG_MAPPING, AutoModel

COMMON = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
COMMON |= {"intermediate_size": 64, "pad_token_id": 0, "max_position_embeddings": 128}
DISENTANGLED = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
CANINE = {"downsampling_rate": 2, "upsampling_kernel_size": 2, "local_transformer_stride": 8}
SAFE = {
    "bert": {},
    "deberta-v2": DISENTANGLED | {"conv_kernel_size": 3, "conv_act": "gelu"},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "esm": {"position_embedding_type": "rotary", "mask_token_id": 4, "token_dropout": True},
}
CHANGED = {
    "mobilebert": {"embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "yoso": {},
    "fnet": {},
    "convbert": {"embedding_size": 16, "head_ratio": 2},
    "canine": CANINE | {"num_hash_buckets": 64, "num_hash_functions": 4},
}


def change(family, settings):
    """Return how far twelve tokens' outputs move where eight pads follow them, relative to the largest output."""
    torch.manual_seed(0)
    model = AutoModel.from_config(CONFIG_MAPPING[family](**COMMON | settings)).eval()
    for parameter in model.parameters():  # as after training, no embedding is zero
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    ids = torch.arange(10, 22)[None]
    padded = torch.nn.functional.pad(ids, (0, 8), value=0)
    with torch.no_grad():
        alone = model(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
        beside = model(input_ids=padded, attention_mask=(padded != 0).long())[0][:, :12]
    return ((beside - alone).abs().max() / alone.abs().max()).item()


for family, settings in SAFE.items():
    seen(f"{family}: padding changes outputs", change(family, settings) > 1e-4, False)
for family, settings in CHANGED.items():
    seen(f"{family}: padding changes outputs by more than a tenth", change(family, settings) > 0.1)
PY
