"""Encoder-decoders: the encoder once, then the decoder with a cache.

`encoder.onnx` gives, beside its last states, the keys and values that the decoder's attention to it reads in every
step: they are computed once for a text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from adapt_onnx.decoder import layers_of
from adapt_onnx.graphs import PAST, POSITIONS, Graph, eager_attention, write_graph

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
_ROWS, _PAST, _POSITIONS = 2, 3, 5


class _Encoder(nn.Module):
    """The encoder, and the keys and values that the decoder makes of its states."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the last states, then keys and values layer by layer."""
        from transformers import DynamicCache, EncoderDecoderCache

        model: Any = self.model
        states = model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        # Of a step of the decoder only what it caches of the encoder is an output: the rest is no part of the graph.
        found = model(
            encoder_outputs=(states,),
            attention_mask=attention_mask,
            decoder_input_ids=input_ids[:, :1] * 0,
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
            use_cache=True,
        )
        return (states, *layers_of(found.past_key_values.cross_attention_cache))


class _Decoder(nn.Module):
    """A step of the decoder, with both caches as tensors."""

    def __init__(self, model: nn.Module, width: int) -> None:
        super().__init__()
        self.model, self.width = model, width

    def forward(
        self,
        decoder_input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        cross: list[torch.Tensor],
        past: list[torch.Tensor],
    ) -> tuple[torch.Tensor, ...]:
        """Return logits and the longer cache of the decoder's own positions."""
        from transformers import DynamicCache, EncoderDecoderCache

        own, other = (DynamicCache(list(zip(each[::2], each[1::2], strict=True))) for each in (past, cross))
        cache = EncoderDecoderCache(own, other)
        cache.is_updated = dict.fromkeys(range(len(cross) // 2), True)
        # Attention to the encoder reads `cross`; of its states it takes the shape alone.
        states = attention_mask[:, :, None].to(torch.float32).expand(-1, -1, self.width)
        found = self.model(
            encoder_outputs=(states,),
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            past_key_values=cache,
            use_cache=True,
        )
        return (found.logits, *layers_of(found.past_key_values.self_attention_cache))


def write_seq2seq(model: nn.Module, folder: Path) -> dict[str, Any]:
    """Write an encoder-decoder as `encoder.onnx` and `decoder.onnx`.

    Args:
        model: plain, in float32, in evaluation mode.
        folder: gets the files.

    Returns:
        what a runtime must know of the cache: layers, heads, width.

    Raises:
        InputError: torch cannot trace it.
    """
    words = torch.full((_ROWS, _POSITIONS), 2)
    mask = torch.ones(_ROWS, _POSITIONS, dtype=torch.long)
    with torch.no_grad(), eager_attention(model):
        encoder = _Encoder(model).eval()
        states, *cross = encoder(words, mask)
        heads, width = cross[0].shape[1], cross[0].shape[3]
        kinds = [f"{number}.{kind}" for number in range(len(cross) // 2) for kind in ("key", "value")]
        write_graph(
            Graph(
                module=encoder,
                inputs={"input_ids": words, "attention_mask": mask},
                axes={"input_ids": POSITIONS, "attention_mask": POSITIONS},
                outputs=["encoder_last_hidden_state", *(f"cross.{kind}" for kind in kinds)],
            ),
            folder / ENCODER,
        )
        write_graph(
            Graph(
                module=_Decoder(model, states.shape[-1]),
                inputs={
                    "decoder_input_ids": torch.full((_ROWS, _POSITIONS - 1), 2),
                    "attention_mask": mask,
                    "cross": dict(zip([f"cross.{kind}" for kind in kinds], cross, strict=True)),
                    "past": {f"past_key_values.{kind}": torch.randn(_ROWS, heads, _PAST, width) for kind in kinds},
                },
                axes={"decoder_input_ids": POSITIONS, "attention_mask": POSITIONS, "cross": PAST, "past": PAST},
                outputs=["logits", *(f"present.{kind}" for kind in kinds)],
            ),
            folder / DECODER,
        )
    return {"layers": len(cross) // 2, "heads": heads, "width": width}
