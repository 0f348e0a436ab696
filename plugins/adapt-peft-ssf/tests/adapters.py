"""Methods and quantizers of adapt-peft-ssf, as several tests make them."""

from __future__ import annotations

from typing import Any

import attrs

from adapt_core.contracts import AttachContext

from .models import Case
from adapt_peft_ssf import params
from adapt_peft_ssf.methods.dora import Dora
from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.methods.ssf import Ssf
from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
from adapt_peft_ssf.quantizers.bnb_8bit import Bnb8bit

METHODS = ("LoRA", "DoRA", "SSF")


def make(method: str, **values: Any) -> Any:
    """Return a method without dropout."""
    if method == "LoRA":
        return Lora(params.LoraParams(**{"dropout": 0.0, **values}))
    if method == "SSF":
        return Ssf(params.SsfParams(**values))
    return Dora(params.DoraParams(**{"dropout": 0.0, **values}))


def quantizer(bits: int, **values: Any) -> Any:
    """Return the quantizer of 4 or 8 bits."""
    if bits == 4:
        return Bnb4bit(params.Bnb4bitParams(load_in_4bit=True, **{"bnb_4bit_compute_dtype": "float32", **values}))
    return Bnb8bit(params.Bnb8bitParams(load_in_8bit=True, **values))


def quantized(case: Case, bits: int, **values: Any) -> Any:
    """Return a case's model, quantized and prepared for training."""
    made = quantizer(bits, **values)
    return made.prepare(made.convert(case.seeded(), case.context.head, "cpu"), False)


def context(case: Case) -> AttachContext:
    """Return a case's context on a quantized base."""
    return attrs.evolve(case.context, quantized=True)


def new_head(head: str) -> AttachContext:
    """Return the context of a head that is new and trains."""
    return AttachContext(head=(head,), new_parameters=frozenset({f"{head}.weight", f"{head}.bias"}), train_head=True)
