"""The hooks of adapt-fsdp. Imports nothing heavy: torch.distributed and accelerate load when a run needs them."""

from __future__ import annotations

from adapt_core.plugin.specs import LauncherSpec, hookimpl


@hookimpl
def adapt_launchers() -> list[LauncherSpec]:
    return [
        LauncherSpec(
            name="ddp",
            summary="several processes, on one machine or several, each with a complete copy of the model",
            implementation="adapt_fsdp.ddp:Ddp",
            params="adapt_fsdp.params:DdpParams",
            switch="DDP",
        ),
        LauncherSpec(
            name="fsdp",
            summary="several processes that shard weights, gradients and optimizer state (FSDP version 2)",
            implementation="adapt_fsdp.fsdp:Fsdp",
            params="adapt_fsdp.params:FsdpParams",
            switch="FSDP",
            loops=frozenset({"hf"}),
            shards_layers=True,
        ),
    ]
