"""The methods and launcher of adapt-core itself, registered through the same hooks as every plugin's."""

from __future__ import annotations

from adapt_core.plugin.specs import LauncherSpec, MethodSpec, OptionalDependency, hookimpl

_OPTIONAL = (
    ("transformers", "the Hugging Face loop", "pip install 'adapt-core[hf]'"),
    ("bitsandbytes", "8-bit and paged optimizers", "pip install bitsandbytes"),
    ("tensorboard", "TRACKERS: [tensorboard]", "pip install 'adapt-core[tensorboard]'"),
    ("flash-attn", "flash_attention2, on a GPU", "pip install flash-attn"),
)
"""Distribution, what it is for, the command that installs it."""


@hookimpl
def adapt_methods() -> list[MethodSpec]:
    return [
        MethodSpec(
            name="full",
            summary="every parameter of the model trains",
            implementation="adapt_core.methods.full:Full",
            trains_base=True,
            is_peft=False,
        ),
        MethodSpec(
            name="last_layer",
            summary="the head trains, or the last few layers; the rest is frozen",
            implementation="adapt_core.methods.last_layer:LastLayer",
            params="adapt_core.methods.params:LastLayerParams",
            trains_base=True,
            on_quantized=True,
            is_peft=False,
        ),
    ]


@hookimpl
def adapt_launchers() -> list[LauncherSpec]:
    return [
        LauncherSpec(
            name="local",
            summary="one process, this one",
            implementation="adapt_core.launchers.local:Local",
            aliases=("none",),
        )
    ]


@hookimpl
def adapt_optional_dependencies() -> list[OptionalDependency]:
    from adapt_core.plugin.versions import installed_version  # Only `adapt doctor` asks, and it imports much.

    return [
        OptionalDependency(name=name, purpose=purpose, present=installed_version(name) is not None, add=command)
        for name, purpose, command in _OPTIONAL
    ]
