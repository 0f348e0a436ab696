"""The launcher `fsdp`: several processes that share weights, gradients and optimizer state out among them (FSDP 2)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapt_core.contracts import Loop, Work
from adapt_core.distributed import torchrun
from adapt_core.distributed.world import World
from adapt_core.errors import DefectError, InputError

from adapt_fsdp.params import FsdpParams

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.capabilities import Memory, RunCommand, StoredBytes
    from adapt_core.config.plan import Plan
    from adapt_core.result import RunResult
    from adapt_core.run_folder.resume import ResumeDecision


class Fsdp:
    """Fully sharded data parallel for the Hugging Face loop, by accelerate."""

    def __init__(self, params: FsdpParams) -> None:
        self.params = params
        self._skeleton: nn.Module | None = None

    def is_coordinator(self) -> bool:
        """Machine 0 holds the run folder; where torchrun starts the processes, rank 0 does."""
        place = torchrun.place()
        return self.params.machine_rank == 0 if place is None else place.rank == 0

    def check(self, plan: Plan) -> None:
        """See `refuse` and `check_processes`."""
        from adapt_fsdp.launching import check_processes, device_count
        from adapt_fsdp.refusals import refuse

        refuse(self.params, plan, device_count(self.params) > 0)
        check_processes(self.params, plan)

    def launch(self, plan: Plan, work: Work, decision: ResumeDecision | None) -> RunResult:
        """Runs the plan in worker processes, or as the one that torchrun started."""
        from adapt_fsdp.launching import device_count, launch, precision_options
        from adapt_fsdp.under_torchrun import work_as_one

        options = {
            **sharding_options(self.params, plan.training.gradient_checkpointing, device_count(self.params) > 0),
            **precision_options(self.params),
        }
        environment = {"ACCELERATE_DEBUG_MODE": "1"} if self.params.debug else {}
        place = torchrun.place()
        if place is not None:
            os.environ.update(environment)
            return work_as_one(plan, self.params, self, work, decision, place, options)
        return launch(plan, self.params, decision, options, environment)

    def processes(self) -> int:
        """The processes of all machines."""
        from adapt_fsdp.launching import processes_here

        return processes_here(self.params) * self.params.machines

    def on_each_rank(
        self, model: nn.Module, quantized: Mapping[str, StoredBytes], whole: Memory, plan: Plan, processes: int
    ) -> list[Memory]:
        """See `adapt_fsdp.forecasting`; nothing for a quantized base that cannot be shared out."""
        from adapt_fsdp.forecasting import shared
        from adapt_fsdp.refusals import shares_base_out

        if not shares_base_out(plan):
            return []
        return shared(model, quantized, whole, plan.training.optimizer, self.params, processes)

    def launch_file(self, scheduler: str, plan: Plan, command: RunCommand) -> str:
        """See `adapt_fsdp.emitting`."""
        from adapt_fsdp.emitting import WRITERS

        return WRITERS[scheduler](plan, command)

    @contextmanager
    def process_group(self, world: World) -> Iterator[None]:
        """The process group of all ranks; on a CPU, accelerate's state too, which knows no FSDP there by itself."""
        from adapt_fsdp.joining import process_group

        with process_group(world, self.params.collective_timeout):
            if not world.device.startswith("cuda"):
                _shard_on_the_cpu()
            yield

    def verify(self, loop: Loop, world: World) -> None:
        """Sees that the loop shards, has it keep losses in float32, and keeps the model's structure for `consolidate`.

        Raises:
            InputError: the model has no layer of a class that fsdp_transformer_layer_cls_to_wrap names, or embeddings
                that cannot be shared out.
            DefectError: the loop would train unsharded, or in another number of processes.
        """
        from accelerate.utils import DistributedType

        from adapt_fsdp.embeddings import hold_once
        from adapt_fsdp.whole_model import structure_of

        trainer: Any = getattr(loop, "trainer", None)
        kind = trainer.accelerator.distributed_type
        if kind != DistributedType.FSDP or not trainer.accelerator.is_fsdp2:
            raise DefectError(f"FSDP was asked for, and accelerate would train with {kind}.")
        if trainer.args.world_size != world.size:
            raise DefectError(f"the loop trains in {trainer.args.world_size} processes instead of {world.size}.")
        model = loop.unwrap_model()
        plugin = trainer.accelerator.state.fsdp_plugin
        if self.params.fsdp_auto_wrap_policy == "TRANSFORMER_BASED_WRAP":
            plugin.transformer_cls_names_to_wrap = layers_to_wrap(model, self.params.fsdp_transformer_layer_cls_to_wrap)
        # accelerate has the shares computed and the loss rounded in half precision, and leaves out the autocast with
        # which one process and DDP keep losses in float32.
        trainer.autocast_smart_context_manager = trainer.accelerator.autocast
        if plugin.mixed_precision_policy is not None:
            plugin.mixed_precision_policy = replace(plugin.mixed_precision_policy, output_dtype=None)
        self._skeleton = structure_of(model)
        hold_once(model)
        if self.params.fsdp_offload_params:
            _send_inputs(model, world.device)

    def gather_model(self, model: nn.Module) -> nn.Module:
        """A whole model on the CPU, from every process's share.

        Raises:
            DefectError: nothing of the model was sharded.
        """
        from adapt_fsdp.whole_model import filled

        assert self._skeleton is not None
        return filled(self._skeleton, model)


def layers_to_wrap(model: nn.Module, wanted: Sequence[str] | None) -> list[str]:
    """The classes of the layers that are gathered one at a time: those that are wanted, or else the model's own.

    Raises:
        InputError: the model has no layer of a class that is wanted.
    """
    if not wanted:
        return layer_classes(model)
    known = {type(module).__name__ for module in model.modules()}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        own = ", ".join(layer_classes(model)) or "not told by it"
        raise InputError(
            f"fsdp_transformer_layer_cls_to_wrap: the model has no layer of class {', '.join(unknown)}; "
            f"its own are {own}."
        )
    return list(wanted)


def layer_classes(model: nn.Module) -> list[str]:
    """The classes of a Hugging Face model's layers, as the model names them.

    Those that hold the input embeddings are left out (BERT names one): accelerate shards the embeddings by themselves.
    """
    named = {name for module in model.modules() for name in getattr(module, "_no_split_modules", None) or ()}
    embeddings: Any = getattr(model, "get_input_embeddings", lambda: None)()
    holders = {
        type(module).__name__
        for module in model.modules()
        if embeddings is not None and any(part is embeddings for part in module.modules())
    }
    return sorted(named - holders)


def sharding_options(params: FsdpParams, gradient_checkpointing: bool, on_gpus: bool) -> dict[str, Any]:
    """The keys as transformers' training arguments `fsdp` and `fsdp_config`, by its names for version 2."""
    config: dict[str, Any] = {
        "version": params.fsdp_version,
        "auto_wrap_policy": params.fsdp_auto_wrap_policy,
        "min_num_params": params.fsdp_min_num_params,
        "reshard_after_forward": params.fsdp_sharding_strategy == "FULL_SHARD",
        "state_dict_type": params.fsdp_state_dict_type,
        "cpu_ram_efficient_loading": params.fsdp_cpu_ram_efficient_loading and on_gpus,
        "cpu_offload": params.fsdp_offload_params,
        "activation_checkpointing": params.fsdp_activation_checkpointing or gradient_checkpointing,
    }
    if params.fsdp_transformer_layer_cls_to_wrap:
        config["transformer_layer_cls_to_wrap"] = list(params.fsdp_transformer_layer_cls_to_wrap)
    options: dict[str, Any] = {"fsdp": True, "fsdp_config": config, "activation_checkpointing": False}
    if not on_gpus:
        options["accelerator_config"] = {"use_configured_state": True}
    return options


def _send_inputs(model: nn.Module, device: str) -> None:
    """Has inputs come to the GPU: `generate` brings them where the weights lie, and offloaded ones wait on the CPU."""
    from accelerate.utils import send_to_device

    def send(module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        return send_to_device(args, device), send_to_device(kwargs, device)

    # FSDP itself does so for the outermost module, and an adapter's is around the one that generates.
    base: nn.Module = getattr(model, "get_base_model", lambda: model)()
    base.register_forward_pre_hook(send, with_kwargs=True)


def _shard_on_the_cpu() -> None:
    """Hands accelerate a state in which its FSDP code runs on the CPU.

    accelerate turns several processes into FSDP only where they have accelerator devices. A state that is configured
    before TrainingArguments is a documented way in (`use_configured_state`); its kind is set to the one that accelerate
    itself turns into FSDP, and its device stays the CPU.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState(cpu=True).distributed_type = DistributedType.MULTI_GPU
