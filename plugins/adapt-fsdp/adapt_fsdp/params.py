"""The parameters of adapt-fsdp's launchers. Imports nothing heavy."""

from __future__ import annotations

import attrs

from adapt_core.errors import ConfigError, Problem
from adapt_core.plugin.params import param


@attrs.frozen
class ProcessParams:
    """Processes and machines of a run: the parameters that ddp and fsdp share. The names are accelerate's."""

    num_processes: int | None = param(
        None, "Processes on each machine (default: one for each visible GPU; 2 on a CPU).", ge=1
    )
    num_machines: int | tuple[int, ...] | None = param(
        None,
        "Machines of the run (default: 1). [LEAST, MOST]: machines may leave and join meanwhile, and each step has the "
        "rows of MOST machines.",
        ge=1,
    )
    num_nodes: int | tuple[int, ...] | None = param(None, "The same as num_machines.", ge=1)
    machine_rank: int = param(0, "This machine's number, from 0; machine 0 writes OUTPUT_DIR.", ge=0)
    main_process_ip: str | None = param(None, "Address of machine 0, as the other machines reach it.")
    main_process_port: int = param(29500, "Port on machine 0 where the machines meet.", ge=1, le=65535)
    rdzv_backend: str = param(
        "static",
        "How machines meet: static (machine 0 waits at its port) or c10d (torch's dynamic rendezvous: whichever "
        "machine owns main_process_ip waits there).",
        choices=("static", "c10d"),
    )
    same_network: bool = param(
        True, "Whether the machines reach each other directly; false needs rdzv_backend: c10d, as in accelerate."
    )
    machine_timeout: float = param(600.0, "Seconds that the machines of a run wait for each other.", gt=0)
    machine_wait: float = param(
        30.0, "With num_machines: [LEAST, MOST], seconds that LEAST machines or more wait for further ones.", ge=0
    )
    collective_timeout: float = param(
        1800.0, "Seconds that a process waits for the others in one collective operation (torch's own default).", gt=0
    )
    use_cpu: bool = param(False, "Run on the CPU (over gloo) even where there are GPUs.")
    mixed_precision: str | None = param(
        None,
        "Mixed precision, by accelerate's name for it (default: follow BF16 and FP16).",
        choices=("no", "fp16", "bf16"),
    )

    container_image: str | None = param(
        None, "For --emit kubernetes and skypilot: an image in which adapt is installed.", may_change_on_resume=True
    )
    gpu_type: str | None = param(
        None, "For --emit skypilot: the GPU, as SkyPilot names it (H200).", may_change_on_resume=True
    )
    volume_claim: str | None = param(
        None, "For --emit kubernetes: a PersistentVolumeClaim with the data and OUTPUT_DIR.", may_change_on_resume=True
    )
    volume_path: str = param(
        "/data", "For --emit kubernetes: where volume_claim is mounted.", may_change_on_resume=True
    )

    @property
    def machines(self) -> int:
        """The number of machines, by either name; the most, where it may change."""
        return self.machine_range[1]

    @property
    def machine_range(self) -> tuple[int, int]:
        """The least and the most machines of the run.

        Raises:
            ConfigError: there are not two numbers, or the second is not the larger one.
        """
        key, given = ("num_machines", self.num_machines) if self.num_machines else ("num_nodes", self.num_nodes)
        if not isinstance(given, tuple):
            return given or 1, given or 1
        if len(given) != 2 or given[0] >= given[1]:
            told = f"must be one number, or [LEAST, MOST] with LEAST below MOST; not {list(given)}."
            raise ConfigError([Problem(told, key=key)])
        return given[0], given[1]

    @property
    def may_change(self) -> bool:
        """Whether machines may leave and join while the run trains."""
        least, most = self.machine_range
        return least < most


@attrs.frozen
class DdpParams(ProcessParams):
    """Parameters of the launcher ddp."""

    ddp: bool = param(False, "Train in several processes, each with a complete copy of the model.", key="DDP", on=True)


@attrs.frozen
class FsdpParams(ProcessParams):
    """Parameters of the launcher fsdp. Those of version 1 accept their default only; see `validation`."""

    fsdp: bool = param(False, "Train in several processes that shard the model.", key="FSDP", on=True)
    fsdp_version: int = param(2, "Version of torch's FSDP; 1 is deprecated.")
    fsdp_auto_wrap_policy: str = param(
        "TRANSFORMER_BASED_WRAP",
        "What is gathered together: each transformer layer, each module of fsdp_min_num_params, or all.",
        choices=("TRANSFORMER_BASED_WRAP", "SIZE_BASED_WRAP", "NO_WRAP"),
    )
    fsdp_transformer_layer_cls_to_wrap: tuple[str, ...] | None = param(
        None, "Classes of the layers of TRANSFORMER_BASED_WRAP (default: those that the model names)."
    )
    fsdp_min_num_params: int = param(
        100_000_000, "Smallest number of parameters of a module that SIZE_BASED_WRAP shards separately.", ge=1
    )
    fsdp_sharding_strategy: str = param(
        "FULL_SHARD",
        "FULL_SHARD frees gathered weights after the forward pass, SHARD_GRAD_OP keeps them for the backward pass.",
        choices=("FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD", "HYBRID_SHARD", "HYBRID_SHARD_ZERO2"),
    )
    fsdp_state_dict_type: str = param(
        "SHARDED_STATE_DICT",
        "Form of the weights in checkpoints: a shard from each process, or all in one file.",
        choices=("SHARDED_STATE_DICT", "FULL_STATE_DICT", "LOCAL_STATE_DICT"),
    )
    fsdp_cpu_ram_efficient_loading: bool = param(
        True, "On GPUs: shard without weights and fill the shards from rank 0, so that no GPU holds the complete model."
    )
    fsdp_offload_params: bool = param(False, "Keep shards of weights and optimizer in the CPU's memory (GPUs only).")
    fsdp_activation_checkpointing: bool = param(
        False, "Recompute each layer's activations in the backward pass; GRADIENT_CHECKPOINTING means the same."
    )
    fsdp_backward_prefetch_policy: str = param(
        "BACKWARD_PRE",
        "Version 2 always gathers the next layer's weights before the current layer's gradients.",
        choices=("BACKWARD_PRE", "BACKWARD_POST", "NO_PREFETCH"),
    )
    fsdp_forward_prefetch: bool = param(False, "Version 1's; version 2 gathers ahead by itself.")
    fsdp_sync_module_states: bool = param(True, "Version 1's; under version 2 all processes start with equal weights.")
    fsdp_use_orig_params: bool = param(True, "Version 1's; version 2 always keeps the model's own parameters.")
    compute_environment: str = param("LOCAL_MACHINE", "Where accelerate runs; adapt starts processes itself.")
    distributed_type: str = param("FSDP", "The kind of distributed training; FSDP says the same.")
    main_training_function: str = param("main", "The function that accelerate starts; adapt has its own.")
    debug: bool = param(False, "Let accelerate check the shapes of all tensors that processes exchange.")
    downcast_bf16: str = param("no", "For TPUs.")
    tpu_env: tuple[str, ...] = param((), "For TPUs.")
    tpu_use_cluster: bool = param(False, "For TPUs.")
    tpu_use_sudo: bool = param(False, "For TPUs.")
