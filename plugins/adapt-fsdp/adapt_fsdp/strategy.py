"""The strategy of the launcher `fsdp`: the model of a loop is sharded, generates, and is gathered for the export."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method

from adapt_core.contracts import Loop
from adapt_core.distributed.sharding import restored_requires_grad
from adapt_core.distributed.world import World
from adapt_core.errors import DefectError

from adapt_fsdp.full_model import gather_full_model, structure_of
from adapt_fsdp.launcher import trainer_of
from adapt_fsdp.params import FsdpParams
from adapt_fsdp.tied_embeddings import share_one_module
from adapt_fsdp.wrap_policy import layers_to_wrap

if TYPE_CHECKING:
    from transformers import Trainer


class FsdpStrategy:
    """Shards the model of a loop over all processes (FSDP version 2).

    A transformers Trainer shards by accelerate. Another loop shards its model itself, after `setup`, and gets
    generation and the gathered model from here.
    """

    def __init__(self, params: FsdpParams, world: World) -> None:
        self._params = params
        self._world = world
        self._structure: nn.Module | None = None

    @property
    def is_set_up(self) -> bool:
        """Whether the structure of the complete model is known."""
        return self._structure is not None

    def setup(self, loop: Loop) -> None:
        """Configure accelerate's sharding, and keep the structure of the complete model for `gather_model`.

        Raises:
            InputError: the model has no layer of a class that fsdp_transformer_layer_cls_to_wrap names, or embeddings
                that cannot be sharded.
        """
        model = loop.unwrap_model()
        trainer = trainer_of(loop)
        if trainer is not None and trainer.is_fsdp_enabled:
            self._configure(trainer, model)
        self._structure = structure_of(model)
        share_one_module(model)
        if self._params.fsdp_offload_params:
            _send_inputs(model, self._world.device)

    def _configure(self, trainer: Trainer, model: nn.Module) -> None:
        plugin = trainer.accelerator.state.fsdp_plugin
        if self._params.fsdp_auto_wrap_policy == "TRANSFORMER_BASED_WRAP":
            wanted = self._params.fsdp_transformer_layer_cls_to_wrap
            plugin.transformer_cls_names_to_wrap = layers_to_wrap(model, wanted)
        # accelerate computes shards and rounds the loss in half precision, and leaves out the autocast with which one
        # process and DDP keep losses in float32.
        trainer.autocast_smart_context_manager = trainer.accelerator.autocast
        if plugin.mixed_precision_policy is not None:
            plugin.mixed_precision_policy = replace(plugin.mixed_precision_policy, output_dtype=None)

    def prepare_evaluation(self, loop: Loop) -> None:
        """Shard the model before a first evaluation, and let it generate."""
        trainer = trainer_of(loop)
        if trainer is not None and not trainer.accelerator._models:
            _shard(trainer)
        model = loop.unwrap_model() if trainer is None else trainer.model
        if isinstance(model, FSDPModule):
            _let_generate(model)  # type: ignore[arg-type]

    def prepare_training(self, loop: Loop) -> None:
        """Reshard what an evaluation left gathered; which parameters train stays.

        The outermost group stays gathered after an evaluation. Which of its parameters train (a method switches its
        adapter off and on again) would be lost when they are sharded for training.
        """
        trainer = trainer_of(loop)
        model = loop.unwrap_model() if trainer is None else trainer.model
        with restored_requires_grad(model):
            for module in model.modules():
                if isinstance(module, FSDPModule):
                    module.reshard()

    def check_step(self, model: nn.Module) -> None:
        """Check that the module which a training step calls is sharded.

        Raises:
            DefectError: no module of it is.
        """
        if not any(isinstance(module, FSDPModule) for module in model.modules()):
            raise DefectError("FSDP was asked for, and the model that trains is not sharded.")

    def gather_model(self, model: nn.Module) -> nn.Module:
        """Return the complete model on the CPU, from every process's shards.

        Raises:
            DefectError: `setup` was not called, or nothing of the model is sharded.
        """
        if self._structure is None:
            raise DefectError("the complete model cannot be gathered: the loop did not call `job.strategy.setup`.")
        return gather_full_model(self._structure, model)


def _shard(trainer: Trainer) -> None:
    """Shard a model that did not train yet: accelerate does so only together with an optimizer."""
    trainer.create_optimizer()
    trainer.model, _ = trainer.accelerator.prepare(trainer.model, trainer.optimizer)
    trainer.model_wrapped = trainer.model
    # Training makes its own, of the sharded parameters.
    trainer.optimizer = None
    trainer.accelerator._optimizers.clear()
    # It is in effect from here on. accelerate would not find the layers a second time: sharding renames classes.
    trainer.accelerator.state.fsdp_plugin.activation_checkpointing = False


def _let_generate(model: nn.Module) -> None:
    """Let `generate` gather weights as a forward pass does, and all processes write as many tokens as the longest.

    transformers does both for FSDP version 1 alone. The model may have been prepared before.
    """
    if not hasattr(model, "generate") or "generate" in vars(model):
        return
    for module in model.modules():
        if hasattr(module, "generate"):
            # transformers asks this to decide whether processes must continue together.
            module._is_fsdp_managed_module = True  # type: ignore[assignment]
    register_fsdp_forward_method(model, "generate")


def _send_inputs(model: nn.Module, device: str) -> None:
    """Move inputs to the GPU: `generate` moves them to where the weights are, and offloaded ones are on the CPU."""
    from accelerate.utils import send_to_device

    def send(module: nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        return send_to_device(args, device), send_to_device(kwargs, device)

    # FSDP itself does so for the outermost module, and an adapter's is around the one that generates.
    base: nn.Module = getattr(model, "get_base_model", lambda: model)()
    base.register_forward_pre_hook(send, with_kwargs=True)
