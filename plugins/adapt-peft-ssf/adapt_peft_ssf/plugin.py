"""The methods and quantizers of adapt-peft-ssf. peft and bitsandbytes load when a run needs them."""

from __future__ import annotations

from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.specs import MethodSpec, QuantizerSpec, hookimpl

adapt_hook_api = 5


@hookimpl
def adapt_exporters() -> list[ExporterSpec]:
    return [
        ExporterSpec(
            name="lora",
            summary="what training changed as a LoRA, by singular values",
            implementation="adapt_peft_ssf.exporters.low_rank:LowRankExporter",
            params="adapt_peft_ssf.params:LoraExportParams",
            tasks=(
                "text_generation",
                "text_classification",
                "summarization",
                "translation",
                "question_answering",
            ),
        ),
        ExporterSpec(
            name="vllm",
            summary="a LoRA as vLLM and text-generation-inference take it",
            implementation="adapt_peft_ssf.exporters.vllm:VllmExporter",
            tasks=("text_generation",),
        ),
    ]


@hookimpl
def adapt_methods() -> list[MethodSpec]:
    return [
        MethodSpec(
            name="LoRA",
            summary="low-rank updates next to frozen layers",
            implementation="adapt_peft_ssf.methods.lora:Lora",
            params="adapt_peft_ssf.params:LoraParams",
        ),
        MethodSpec(
            name="DoRA",
            summary="LoRA with a trained magnitude for each output",
            implementation="adapt_peft_ssf.methods.dora:Dora",
            params="adapt_peft_ssf.params:DoraParams",
        ),
        MethodSpec(
            name="SSF",
            summary="a scale and a shift for each output channel of each layer",
            implementation="adapt_peft_ssf.methods.ssf:Ssf",
            params="adapt_peft_ssf.params:SsfParams",
        ),
        MethodSpec(
            name="peft",
            summary="any other method of peft that adapts layers, by peft_name and peft_options",
            implementation="adapt_peft_ssf.methods.any_peft:AnyPeft",
            params="adapt_peft_ssf.params:AnyPeftParams",
        ),
    ]


@hookimpl
def adapt_quantizers() -> list[QuantizerSpec]:
    return [
        QuantizerSpec(
            name="bnb_4bit",
            summary="the base model's linear layers in 4 bits (nf4, fp4)",
            implementation="adapt_peft_ssf.quantizers.bnb_4bit:Bnb4bit",
            params="adapt_peft_ssf.params:Bnb4bitParams",
            switch="load_in_4bit",
            bits=4,
        ),
        QuantizerSpec(
            name="bnb_8bit",
            summary="the base model's linear layers in 8 bits (LLM.int8())",
            implementation="adapt_peft_ssf.quantizers.bnb_8bit:Bnb8bit",
            params="adapt_peft_ssf.params:Bnb8bitParams",
            switch="load_in_8bit",
            bits=8,
        ),
    ]
