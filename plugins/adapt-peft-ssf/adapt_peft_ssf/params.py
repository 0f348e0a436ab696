"""The parameters of each method and quantizer (apart from their implementations, which import torch and peft)."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param

_TARGETS = (
    "The modules that get an adapter: names, suffixes or regular expressions, or all-linear "
    "(default: every layer the method can take, but the head)."
)
_AUTO = "true: target_modules empty means every layer the method can take, which is the default."


@attrs.frozen
class TargetParams:
    """The parameters that all adapter methods share."""

    target_modules: str | tuple[str, ...] | None = param(None, _TARGETS)
    auto_select_modules: bool = param(True, _AUTO)
    frozen_dropout: bool = param(
        False,
        "Keep dropout at work before the first adapted layer too, where whole blocks of the model come before it. They "
        "then cannot be computed once (FROZEN_CACHE_GB).",
        key="FROZEN_DROPOUT",
    )


@attrs.frozen
class LoraParams(TargetParams):
    """Parameters of LoRA."""

    r: int = param(8, "Rank of the low-rank update.", ge=1)
    alpha: int = param(16, "Scale of the update: alpha / r multiplies it.", ge=1)
    dropout: float = param(0.1, "Dropout on the adapter's input while training.", ge=0, lt=1)
    fan_in_fan_out: bool = param(
        False, "Whether the adapted layers keep their weight as (in, out). Set by itself for Conv1D (GPT-2)."
    )
    init_lora_weights: bool | str = param(
        True,
        "Start of the update: true (zero), false (random), or a way of peft's own: gaussian, pissa, pissa_niter_N, "
        "olora, orthogonal, mica; from training data: eva, corda, lora_ga; loftq for a base in 4 bits.",
    )
    start_rows: int = param(256, "Training rows that eva, corda and lora_ga compute their start from.", ge=1)
    use_rslora: bool = param(False, "Scale the update by alpha / sqrt(r) instead of alpha / r.")
    bias: str = param(
        "none",
        "Which biases of the base train too: none, all, or those of adapted layers (lora_only).",
        choices=("none", "all", "lora_only"),
    )
    modules_to_save: tuple[str, ...] | None = param(
        None, "Further modules that train in full and are saved with the adapter: names or ends of names."
    )
    layers_to_transform: tuple[int, ...] | None = param(
        None, "Numbers of the layers to adapt, from 0 (default: all of them).", ge=0
    )
    layers_pattern: tuple[str, ...] | None = param(
        None, "With layers_to_transform: names of the list of layers (default: whatever comes before the number)."
    )
    rank_pattern: dict[str, object] | None = param(
        None, "Module name or regular expression -> its own r, as in {q_proj: 4}."
    )
    alpha_pattern: dict[str, object] | None = param(
        None, "Module name or regular expression -> its own alpha, as in {q_proj: 32}."
    )
    lora_options: dict[str, object] | None = param(
        None,
        "Further options of peft's LoraConfig, by peft's names: exclude_modules, trainable_token_indices, "
        "target_parameters, lora_bias, velora_config, use_bdlora, eva_config, corda_config, lora_ga_config.",
    )


@attrs.frozen
class DoraParams(LoraParams):
    """Parameters of DoRA: those of LoRA, with its own defaults."""

    r: int = param(16, "Rank of the low-rank update.", ge=1)
    alpha: int = param(8, "Scale of the update: alpha / r multiplies it.", ge=1)


@attrs.frozen
class SsfParams(TargetParams):
    """Parameters of SSF."""

    init_ssf_weights: bool | str = param(
        True, "Start: true (as the base model), or random (the paper's: scale around 1, shift around 0)."
    )
    ssf_shift_everywhere: bool = param(
        False,
        "Shift layers without a bias too. Merged, they gain a bias, which the model's own code does not load again "
        "(save with SAVE_METHOD full_torch_model, or only the adapter).",
    )


_SKIP = "Modules to keep in full precision, besides the head: names or parts of names."


@attrs.frozen
class Bnb4bitParams:
    """Parameters of a base model in 4 bits."""

    load_in_4bit: bool = param(False, "Hold the base model's linear layers in 4 bits.", on=True)
    bnb_4bit_compute_dtype: str | None = param(
        None,
        "The type that 4-bit layers compute in (default: float16 on a GPU; on a CPU bfloat16 where it has "
        "instructions for it, else float32).",
        choices=("float16", "bfloat16", "float32"),
    )
    bnb_4bit_quant_type: str = param("nf4", "The 4-bit type.", choices=("nf4", "fp4"))
    bnb_4bit_use_double_quant: bool = param(False, "Quantize the quantization constants too.")
    bnb_4bit_quant_storage: str = param(
        "uint8",
        "The type that packed 4-bit weights are stored as; FSDP needs float32, or the type of mixed precision.",
        choices=("uint8", "float16", "bfloat16", "float32"),
    )
    llm_int8_skip_modules: tuple[str, ...] | None = param(None, _SKIP)


@attrs.frozen
class Bnb8bitParams:
    """Parameters of a base model in 8 bits."""

    load_in_8bit: bool = param(False, "Hold the base model's linear layers in 8 bits.", on=True)
    llm_int8_threshold: float = param(
        6.0, "Input columns with a value above this are computed in full precision; 0 for none.", ge=0
    )
    llm_int8_skip_modules: tuple[str, ...] | None = param(None, _SKIP)
    llm_int8_enable_fp32_cpu_offload: bool = param(
        False, "Let what does not fit on the GPU live on the CPU, in float32 (Hugging Face models)."
    )
    llm_int8_has_fp16_weight: bool = param(
        False, "Keep the weights in float and quantize them at each use: no memory is saved."
    )


@attrs.frozen
class AnyPeftParams(TargetParams):
    """Parameters of the method peft."""

    peft_name: str | None = param(None, "The method of peft to use: IA3, LOHA, LOKR, VERA, OFT, ...")
    peft_options: dict[str, object] | None = param(None, "Options of that method, by peft's own names.")


@attrs.frozen
class LoraExportParams:
    """Parameters of the export lora."""

    lora_rank: int = param(16, "Rank of the matrices that stand for what training changed.", ge=1)
    lora_tolerance: float = param(
        0.05,
        "How far the outputs may be from the trained model's, as a share of the largest; beyond it the export fails.",
        gt=0,
    )
