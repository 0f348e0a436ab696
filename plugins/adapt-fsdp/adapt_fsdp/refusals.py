"""What fsdp cannot do, each with its reason: said before any process starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import ConfigError, Problem
from adapt_core.plugin.params import parameters_of

from adapt_fsdp.params import FsdpParams

_TPU = "adapt trains on GPUs and CPUs; there is no TPU support."
_OLD = "this key is of FSDP version 1"

ONLY_DEFAULT: dict[str, str] = {
    "fsdp_version": "version 1 is deprecated in torch and leaves transformers; every torch that adapt takes has 2.",
    "fsdp_backward_prefetch_policy": f"{_OLD}; version 2 always prefetches as BACKWARD_PRE did.",
    "fsdp_forward_prefetch": f"{_OLD}; accelerate refuses it under version 2, which gathers ahead by itself.",
    "fsdp_sync_module_states": f"{_OLD}; under version 2 every process loads the same weights, or gets rank 0's.",
    "fsdp_use_orig_params": f"{_OLD}; version 2 always keeps the model's own parameters.",
    "compute_environment": "adapt starts its processes itself, on machines you reach; no cloud service is called.",
    "distributed_type": "the switch FSDP chooses this launcher; for another kind, turn it off (DDP: true is one).",
    "main_training_function": "adapt runs its own training, not a function of a script.",
    "downcast_bf16": _TPU,
    "tpu_env": _TPU,
    "tpu_use_cluster": _TPU,
    "tpu_use_sudo": _TPU,
}
"""Keys that are accepted at their default alone, with the reason."""

_STRATEGIES = {
    "NO_SHARD": "nothing would be sharded: that is DDP: true.",
    "HYBRID_SHARD": "version 2 wants a mesh of machines for it, which this launcher does not build. Use FULL_SHARD.",
    "HYBRID_SHARD_ZERO2": "version 2 wants a mesh of machines for it, which this launcher does not build. "
    "Use SHARD_GRAD_OP.",
}


def refuse(params: FsdpParams, plan: Plan, on_gpus: bool) -> None:
    """Raises every reason against a plan together.

    Raises:
        ConfigError: with one line for each key.
    """
    problems = [Problem(message, key=key) for key, message in _reasons(params, plan, on_gpus)]
    if problems:
        raise ConfigError(problems)


def _reasons(params: FsdpParams, plan: Plan, on_gpus: bool) -> Iterator[tuple[str, str]]:
    for parameter in parameters_of(FsdpParams).values():
        value: Any = getattr(params, parameter.attribute)
        if parameter.key in ONLY_DEFAULT and value != parameter.default:
            yield parameter.key, f"only {parameter.default!r} has a meaning here: {ONLY_DEFAULT[parameter.key]}"
    if params.fsdp_sharding_strategy in _STRATEGIES:
        yield "fsdp_sharding_strategy", f"{params.fsdp_sharding_strategy}: {_STRATEGIES[params.fsdp_sharding_strategy]}"
    if params.fsdp_state_dict_type == "LOCAL_STATE_DICT":
        yield "fsdp_state_dict_type", "LOCAL_STATE_DICT is of FSDP version 1. Use SHARDED_STATE_DICT."
    if params.fsdp_auto_wrap_policy == "SIZE_BASED_WRAP":
        yield (
            "fsdp_auto_wrap_policy",
            "SIZE_BASED_WRAP: under version 2 accelerate would shard the model's list of layers by it, which torch "
            "refuses. Use TRANSFORMER_BASED_WRAP; fsdp_transformer_layer_cls_to_wrap names layers where a model does "
            "not.",
        )
    yield from _of_quantized(params, plan)
    if plan.training.keep == "best":
        yield "KEEP", "best is not offered under FSDP: reloading sharded weights was not shown to work. Use KEEP: last."
    if on_gpus:
        return
    if not params.use_cpu:
        yield (
            "FSDP",
            "there is no GPU here, and FSDP on a CPU saves nothing (accelerate would run DDP in its place, silently). "
            "Use DDP: true; or set use_cpu: true to shard over gloo all the same, to try a config out.",
        )
    if params.fsdp_offload_params:
        yield "fsdp_offload_params", "there is no GPU to offload from."
    if params.fsdp_state_dict_type == "FULL_STATE_DICT":
        yield "fsdp_state_dict_type", "FULL_STATE_DICT aborts in gloo on a CPU. Use SHARDED_STATE_DICT."


def _of_quantized(params: FsdpParams, plan: Plan) -> Iterator[tuple[str, str]]:
    """Packed 4-bit weights are shared out like any tensor, where their type is one that nothing on the way casts."""
    if plan.quantizer is None:
        return
    if not shares_base_out(plan):
        yield (
            "FSDP",
            f"{plan.quantizer.name} and FSDP together are not offered: torch cannot shard 8-bit weights. Train on a "
            "base in 4 bits (load_in_4bit), or under DDP: true.",
        )
        return
    storage = _storage(plan)
    computed = _half_type(params, plan)
    if storage == "uint8" or (computed is not None and storage != computed):
        why = (
            "accelerate leaves 4-bit weights of type uint8 whole in every process"
            if storage == "uint8"
            else f"mixed precision would cast the packed bytes of type {storage} to {computed}"
        )
        yield "bnb_4bit_quant_storage", f"{why}. Under FSDP set it to {computed or 'float32'}."


def shares_base_out(plan: Plan) -> bool:
    """Whether a plan's base is one that FSDP can shard: not quantized, or packed into tensors of a type."""
    return plan.quantizer is None or _storage(plan) is not None


def _storage(plan: Plan) -> str | None:
    """The type that 4-bit weights are packed into."""
    assert plan.quantizer is not None
    storage: str | None = getattr(plan.quantizer.params, "bnb_4bit_quant_storage", None)
    return storage


def _half_type(params: FsdpParams, plan: Plan) -> str | None:
    """The type of mixed precision, or None without."""
    chosen = params.mixed_precision
    if chosen is None:
        chosen = "bf16" if plan.training.bf16 else "fp16" if plan.training.fp16 else "no"
    return {"bf16": "bfloat16", "fp16": "float16"}.get(chosen)
