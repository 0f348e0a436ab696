"""Small language models, and what a batch of them learns with and without deferred logits."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from adapt_core.hf.loop.output_layer import deferrable_head, deferred_logits

WORDS = 97


_LLAMA = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


_GPT2 = {"vocab_size": WORDS, "n_embd": 32, "n_layer": 1, "n_head": 4, "bos_token_id": 1, "eos_token_id": 2}


_BART = {
    "vocab_size": WORDS,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "dropout": 0.0,
    "decoder_start_token_id": 2,
}


_T5 = {"vocab_size": WORDS, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 4, "dropout_rate": 0.0}


def _bart() -> PreTrainedModel:
    model = BartForConditionalGeneration(BartConfig(**_BART))
    model.final_logits_bias.normal_()
    return model


FAMILIES = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**_LLAMA)),
    "llama, tied": lambda: LlamaForCausalLM(LlamaConfig(**_LLAMA, tie_word_embeddings=True)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**_GPT2, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)),
    "gemma2, capped logits": lambda: Gemma2ForCausalLM(Gemma2Config(**_LLAMA, head_dim=8, final_logit_softcapping=2.0)),
    "granite, divided logits": lambda: GraniteForCausalLM(GraniteConfig(**_LLAMA, logits_scaling=3.0)),
    "cohere, scaled logits": lambda: CohereForCausalLM(CohereConfig(**_LLAMA)),
    "t5": lambda: T5ForConditionalGeneration(T5Config(**_T5, decoder_start_token_id=0)),
    "bart, a bias on the logits": _bart,
}


def batch_of_words() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, WORDS, (3, 17), generator=generator)
    labels = ids.clone()
    labels[0, :5] = labels[2, 9:] = -100
    return {"input_ids": ids, "labels": labels}


def learned(model: nn.Module, *, deferred: bool, **options: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """Return the loss of a batch and the gradient of each parameter."""
    model.zero_grad()
    with deferred_logits(deferrable_head(model)) if deferred else nullcontext():
        loss = model.train()(**batch_of_words(), **options).loss
    loss.backward()
    return float(loss), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
