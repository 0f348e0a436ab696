"""Small models of every family that the methods must serve, each with a batch of inputs and a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import torch
from torch import nn

from adapt_core.contracts import AttachContext

Inputs = dict[str, Any]


@attrs.frozen
class Case:
    """One model: how to make it, its inputs, its head, and the parameters that no checkpoint held."""

    make: Callable[[], nn.Module]
    inputs: Callable[[], Inputs]
    context: AttachContext

    def seeded(self) -> nn.Module:
        torch.manual_seed(0)
        return self.make().eval()


def tokens() -> Inputs:
    generator = torch.Generator().manual_seed(1)
    return {"input_ids": torch.randint(5, 60, (8, 12), generator=generator)}


def images() -> Inputs:
    return {"x": torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))}


def bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(
        BertConfig(
            vocab_size=64,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            num_labels=3,
        )
    )


def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    return GPT2ForSequenceClassification(
        GPT2Config(
            vocab_size=64,
            n_positions=32,
            n_embd=32,
            n_layer=2,
            n_head=2,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            num_labels=3,
            pad_token_id=0,
        )
    )


def llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            tie_word_embeddings=True,
        )
    )


def t5() -> nn.Module:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=64,
            d_model=32,
            d_kv=16,
            d_ff=48,
            num_layers=2,
            num_heads=2,
            dropout_rate=0.0,
            decoder_start_token_id=0,
            pad_token_id=0,
        )
    )


def gemma2() -> nn.Module:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    return Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=2.0,
        )
    )


def bart() -> nn.Module:
    from transformers import BartConfig, BartForConditionalGeneration

    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=64,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            max_position_embeddings=32,
            dropout=0.0,
            decoder_start_token_id=2,
        )
    )


class ConvNet(nn.Module):
    """BatchNorm, GroupNorm, a grouped and a bias-less convolution, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.gn = nn.GroupNorm(4, 16)
        self.last = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.fc = nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.stem(x)).relu()
        x = self.gn(self.grouped(x)).relu()
        return self.fc(self.last(x).relu().mean((2, 3)))


class Mlp(nn.Module):
    """A plain module without any config; one layer has no bias, one norm no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(48, 64)
        self.norm = nn.LayerNorm(64)
        self.second = nn.Linear(64, 64, bias=False)
        self.bare = nn.LayerNorm(64, elementwise_affine=False)
        self.head = nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(x)).relu()
        return self.head(self.bare(self.second(x)).relu())


def vit() -> nn.Module:
    import timm

    return timm.create_model(
        "vit_tiny_patch16_224", img_size=16, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=3
    )


def densenet() -> nn.Module:
    import timm

    return timm.create_model("densenet121", num_classes=3, growth_rate=4, block_config=(2, 2))


def _vectors() -> Inputs:
    return {"x": torch.randn(8, 48, generator=torch.Generator().manual_seed(1))}


def _pairs() -> Inputs:
    return {**tokens(), "decoder_input_ids": tokens()["input_ids"][:, :6]}


def _new(*names: str) -> AttachContext:
    parameters = frozenset(f"{name}.{part}" for name in names for part in ("weight", "bias"))
    return AttachContext(head=names, new_parameters=parameters, train_head=True)


def pictures() -> Inputs:
    return {"x": torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))}


CASES = {
    "bert": Case(bert, tokens, _new("classifier")),
    "gpt2": Case(
        gpt2, tokens, AttachContext(head=("score",), new_parameters=frozenset({"score.weight"}), train_head=True)
    ),
    "llama": Case(llama, tokens, AttachContext(head=("lm_head",), train_head=False)),
    "llama with its head": Case(llama, tokens, AttachContext(head=("lm_head",), train_head=True)),
    "t5": Case(t5, _pairs, AttachContext(head=("lm_head",), train_head=False)),
    "conv net": Case(ConvNet, images, _new("fc")),
    "mlp": Case(Mlp, _vectors, _new("head")),
    "timm vit": Case(vit, images, _new("head")),
    "timm densenet": Case(densenet, pictures, _new("classifier")),
}

FURTHER_FAMILIES = {
    "gemma2": Case(gemma2, tokens, AttachContext(head=("lm_head",), train_head=False)),
    "bart": Case(bart, _pairs, AttachContext(head=("lm_head",), train_head=False)),
}
"""Language models for layers whose arithmetic is compared."""


def logits(model: nn.Module, inputs: Inputs) -> torch.Tensor:
    """The model's logits, whatever it returns: of several things (a detector's) the first."""
    output = model(inputs["x"]) if "x" in inputs else model(**inputs)
    output = output[0] if isinstance(output, tuple) else output
    return output.logits if hasattr(output, "logits") else output


def train(model: nn.Module, inputs: Inputs, steps: int = 12, lr: float = 1e-2) -> list[float]:
    """Trains on one batch with random targets; returns the losses."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    losses = []
    model.train()
    for _ in range(steps):
        output = logits(model, inputs).float()
        target = torch.randint(0, 3, output.shape[:-1], generator=torch.Generator().manual_seed(2))
        loss = nn.functional.cross_entropy(output.flatten(0, -2), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses
