"""The optimizers and schedules of the Hugging Face loop, by transformers' names. Imports nothing heavy."""

from __future__ import annotations

from adapt_core.plugin.specs import LoopSpec

_OF_TORCH = ("adamw_torch", "adamw_torch_fused", "sgd", "adafactor", "adagrad", "rmsprop")
_OF_BITSANDBYTES = (
    "adamw_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "lion_8bit",
    "lion_32bit",
    "paged_lion_32bit",
    "paged_lion_8bit",
    "ademamix",
    "ademamix_8bit",
    "paged_ademamix_32bit",
    "paged_ademamix_8bit",
)

HF_LOOP = LoopSpec(
    name="hf",
    optimizers={**dict.fromkeys(_OF_TORCH), **dict.fromkeys(_OF_BITSANDBYTES, "bitsandbytes")},
    schedules=("linear", "constant", "cosine", "cosine_with_restarts", "polynomial", "constant_with_warmup"),
    averages=True,
)
