"""The hooks of adapt-ray. Imports nothing heavy: Ray loads in the processes of a run alone."""

from __future__ import annotations

from adapt_core.plugin.specs import LauncherSpec, hookimpl


@hookimpl
def adapt_launchers() -> list[LauncherSpec]:
    return [
        LauncherSpec(
            name="ray",
            summary="several processes on Ray Train, on this machine or a Ray cluster, each with the complete model",
            implementation="adapt_ray.launcher:Ray",
            params="adapt_ray.params:RayParams",
        )
    ]
