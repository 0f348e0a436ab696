"""Plans that the launchers refuse before any process starts, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from adapt_core.config.plan import Plan
from adapt_core.distributed import torchrun
from adapt_core.errors import ConfigError, InputError, Problem
from adapt_core.plugin.params import parameters_of

from adapt_fsdp.devices import device_count
from adapt_fsdp.params import FsdpParams, ProcessParams

_TPU = "adapt trains on GPUs and CPUs; there is no TPU support."
_OLD = "this key is of FSDP version 1"

ONLY_DEFAULT: dict[str, str] = {
    "fsdp_version": "version 1 is deprecated in torch and transformers; every supported torch has version 2.",
    "fsdp_backward_prefetch_policy": f"{_OLD}; version 2 always prefetches as BACKWARD_PRE did.",
    "fsdp_forward_prefetch": f"{_OLD}; accelerate refuses it under version 2, which gathers ahead by itself.",
    "fsdp_sync_module_states": f"{_OLD}; under version 2 every process loads the same weights, or gets rank 0's.",
    "fsdp_use_orig_params": f"{_OLD}; version 2 always keeps the model's own parameters.",
    "compute_environment": "adapt starts its processes itself, on machines that you reach; it calls no cloud service.",
    "distributed_type": "the switch FSDP chooses this launcher; for another kind, turn it off (DDP: true is one).",
    "main_training_function": "adapt runs its own training, not a function of a script.",
    "downcast_bf16": _TPU,
    "tpu_env": _TPU,
    "tpu_use_cluster": _TPU,
    "tpu_use_sudo": _TPU,
}
"""Keys that are accepted at their default alone, with the reason."""

_KEEP_STEPS = ("hf",)
"""Loops that keep the rows of a step in any number of processes."""

_STRATEGIES = {
    "NO_SHARD": "nothing would be sharded: that is DDP: true.",
    "HYBRID_SHARD": "version 2 needs a mesh of machines for it, which this launcher does not build. Use FULL_SHARD.",
    "HYBRID_SHARD_ZERO2": "version 2 needs a mesh of machines for it, which this launcher does not build. "
    "Use SHARD_GRAD_OP.",
}


def check_processes(params: ProcessParams, plan: Plan) -> None:
    """Refuse processes that do not fit on this machine, and machines that cannot meet.

    Raises:
        InputError: with the reason.
    """
    if params.num_machines and params.num_nodes and params.num_machines != params.num_nodes:
        raise InputError(
            f"num_machines ({params.num_machines}) and num_nodes ({params.num_nodes}) mean the same. Set one of them."
        )
    by_torchrun = torchrun.place() is not None
    if params.machines > 1 and not params.main_process_ip and not by_torchrun:
        raise InputError(f"{params.machines} machines need main_process_ip: the address of machine 0.")
    for key, fits in (
        ("BATCH_SIZE", plan.training.fit_batch_size),
        ("GRADIENT_CHECKPOINTING", plan.training.fit_recomputation),
    ):
        if fits and (params.machines > 1 or by_torchrun):
            raise InputError(
                f"{key} auto is chosen by the memory of one machine, in the command that starts the processes. Give "
                "what adapt check shows, on several machines and under torchrun."
            )
    if params.may_change:
        _check_change(params, plan, by_torchrun=by_torchrun)
    if params.machine_rank >= params.machines:
        raise InputError(
            f"machine_rank is {params.machine_rank}, and the {params.machines} machines (num_machines) count from 0."
            " Give each machine its own number."
        )
    if not params.same_network and params.rdzv_backend == "static":
        raise InputError(
            "same_network: false needs rdzv_backend: c10d. With static, machines must reach each other directly."
        )
    if plan.run.device != "auto":
        raise InputError("DEVICE is for one process: under several set use_cpu, or leave it to the GPUs that are here.")
    gpus = device_count(params)
    if gpus and (params.num_processes or 0) > gpus:
        raise InputError(
            f"num_processes is {params.num_processes}, and this machine has {gpus} visible GPUs: each process needs "
            "its own. Lower num_processes, or set use_cpu: true."
        )
    half = params.mixed_precision == "fp16" or (params.mixed_precision is None and plan.training.fp16)
    if half and not gpus:
        raise InputError(
            "float16 mixed precision (FP16, mixed_precision: fp16) needs GPUs, and this run is on the CPU. Use none, "
            "or bf16 where the processor has bfloat16 instructions (adapt check says)."
        )


def _check_change(params: ProcessParams, plan: Plan, *, by_torchrun: bool) -> None:
    """Refuse machines that leave and join where the run cannot keep its steps, or its machines cannot meet so."""
    key = "num_machines" if params.num_machines else "num_nodes"
    least, most = params.machine_range
    if plan.loop not in _KEEP_STEPS:
        why = f"{plan.task.name} cannot go on in another number of processes, so its machines cannot change."
        raise ConfigError([Problem(f"{why} Give one number.", key=key)])
    if least not in shared_evenly(params, plan):
        batches = most * plan.training.gradient_accumulation_steps
        why = f"a step has {batches} batches for each process of a machine, which {least} machines cannot share evenly."
        raise ConfigError([Problem(f"{why} Give another LEAST, or GRADIENT_ACCUMULATION_STEPS: {least}.", key=key)])
    if params.rdzv_backend != "static" and not by_torchrun:
        why = "is for a fixed number of machines: where they may change, machine 0 holds the place where they meet."
        raise ConfigError([Problem(f"{params.rdzv_backend} {why} Use static.", key="rdzv_backend")])


def shared_evenly(params: ProcessParams, plan: Plan) -> list[int]:
    """Return how many machines can share the batches of a step of all machines evenly, from the least to the most."""
    least, most = params.machine_range
    batches = most * plan.training.gradient_accumulation_steps
    return [size for size in range(least, most + 1) if batches % size == 0]


def check_sharding(params: FsdpParams, plan: Plan, *, on_gpus: bool) -> None:
    """Refuse what FSDP cannot do in a plan, all reasons together.

    Raises:
        ConfigError: with one line for each key.
    """
    problems = [Problem(message, key=key) for key, message in _reasons(params, plan, on_gpus=on_gpus)]
    if problems:
        raise ConfigError(problems)


def _reasons(params: FsdpParams, plan: Plan, *, on_gpus: bool) -> Iterator[tuple[str, str]]:
    for parameter in parameters_of(FsdpParams).values():
        value: object = getattr(params, parameter.attribute)
        if parameter.key in ONLY_DEFAULT and value != parameter.default:
            yield parameter.key, f"only {parameter.default!r} is supported: {ONLY_DEFAULT[parameter.key]}"
    if params.fsdp_sharding_strategy in _STRATEGIES:
        yield "fsdp_sharding_strategy", f"{params.fsdp_sharding_strategy}: {_STRATEGIES[params.fsdp_sharding_strategy]}"
    if params.fsdp_state_dict_type == "LOCAL_STATE_DICT":
        yield "fsdp_state_dict_type", "LOCAL_STATE_DICT is of FSDP version 1. Use SHARDED_STATE_DICT."
    if params.fsdp_auto_wrap_policy == "SIZE_BASED_WRAP":
        yield (
            "fsdp_auto_wrap_policy",
            "SIZE_BASED_WRAP: under version 2 accelerate would shard the model's list of layers by it, which torch "
            "refuses. Use TRANSFORMER_BASED_WRAP; fsdp_transformer_layer_cls_to_wrap names the layers where a model "
            "does not.",
        )
    yield from _of_quantized(params, plan)
    if plan.training.keeps_best:
        yield (
            "KEEP",
            f"{plan.training.keep} is not supported under FSDP: reloading sharded weights is untested. Use KEEP: last.",
        )
    if on_gpus:
        return
    if not params.use_cpu:
        yield (
            "FSDP",
            "there is no GPU here, and FSDP on a CPU saves nothing (accelerate would run DDP instead, silently). "
            "Use DDP: true; or set use_cpu: true to shard over gloo all the same, to try a config.",
        )
    if params.fsdp_offload_params:
        yield "fsdp_offload_params", "there is no GPU to offload from."
    if params.fsdp_state_dict_type == "FULL_STATE_DICT":
        yield "fsdp_state_dict_type", "FULL_STATE_DICT aborts in gloo on a CPU. Use SHARDED_STATE_DICT."


def _of_quantized(params: FsdpParams, plan: Plan) -> Iterator[tuple[str, str]]:
    """Packed 4-bit weights are sharded like any tensor where nothing casts their data type."""
    if plan.quantizer is None:
        return
    if not can_shard_base(plan):
        yield (
            "FSDP",
            f"{plan.quantizer.name} under FSDP is not supported: torch cannot shard 8-bit weights. Train on a "
            "base in 4 bits (load_in_4bit), or under DDP: true.",
        )
        return
    storage = _storage(plan)
    computed = _half_type(params, plan)
    if storage == "uint8" or (computed is not None and storage != computed):
        why = (
            "accelerate does not shard 4-bit weights of type uint8"
            if storage == "uint8"
            else f"mixed precision would cast the packed bytes of type {storage} to {computed}"
        )
        yield "bnb_4bit_quant_storage", f"{why}. Under FSDP set it to {computed or 'float32'}."


def can_shard_base(plan: Plan) -> bool:
    """Whether FSDP can shard a plan's base model: it is not quantized, or packed into tensors of a plain type."""
    return plan.quantizer is None or _storage(plan) is not None


def _storage(plan: Plan) -> str | None:
    """The data type that 4-bit weights are packed into."""
    assert plan.quantizer is not None
    storage: str | None = getattr(plan.quantizer.params, "bnb_4bit_quant_storage", None)
    return storage


def _half_type(params: FsdpParams, plan: Plan) -> str | None:
    """The data type of mixed precision, or None without it."""
    chosen = params.mixed_precision
    if chosen is None:
        chosen = "bf16" if plan.training.bf16 else "fp16" if plan.training.fp16 else "no"
    return {"bf16": "bfloat16", "fp16": "float16"}.get(chosen)
