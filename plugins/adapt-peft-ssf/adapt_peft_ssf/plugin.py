"""What adapt-peft-ssf registers. Imports nothing heavy: peft and bitsandbytes load when a run needs them."""

from __future__ import annotations

from adapt_core import hookimpl
from adapt_core.specs import MethodSpec

from adapt_peft_ssf.params import DoraParams, LoraParams, SsfParams


@hookimpl
def adapt_methods() -> list[MethodSpec]:
    return [
        MethodSpec(
            name="LoRA",
            summary="low-rank updates beside frozen layers",
            implementation="adapt_peft_ssf.lora:Lora",
            params=LoraParams,
        ),
        MethodSpec(
            name="DoRA",
            summary="LoRA with a trained magnitude for each output",
            implementation="adapt_peft_ssf.lora:Dora",
            params=DoraParams,
        ),
        MethodSpec(
            name="SSF",
            summary="a scale and a shift for each output channel of each layer",
            implementation="adapt_peft_ssf.ssf_method:Ssf",
            params=SsfParams,
        ),
    ]
