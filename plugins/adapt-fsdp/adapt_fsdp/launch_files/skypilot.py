"""A task of SkyPilot, which rents the machines and starts `adapt run` on each: https://docs.skypilot.co."""

from __future__ import annotations

from typing import Any

from adapt_core.capabilities import RunCommand
from adapt_core.config.plan import SLOTS, Plan
from adapt_core.errors import InputError

from adapt_fsdp.launch_files import shell
from adapt_fsdp.launch_files.resources import cores_per_machine, fixed_machines, job_name, processes_per_machine
from adapt_fsdp.launch_files.yaml_text import as_block, to_yaml
from adapt_fsdp.params import ProcessParams

_FOLDER = "/tmp/adapt"  # noqa: S108 - on the rented machine, which is the job's own
_NOTE = """\
# sky jobs launch FILE starts it, and again elsewhere after a machine was taken away: it resumes from the newest
# complete checkpoint. All machines must see the paths of the config. For data and OUTPUT_DIR add a bucket:
#   file_mounts:
#     /data: {source: s3://BUCKET, mode: MOUNT_CACHED}
"""
_RUN = """\
adapt_main="$(printf '%s\\n' "$SKYPILOT_NODE_IPS" | head -n 1)"
exec {command} \\
    --set machine_rank="$SKYPILOT_NODE_RANK" --set main_process_ip="$adapt_main"
"""


def task(plan: Plan, command: RunCommand) -> str:
    """Return a task for `sky launch` or `sky jobs launch`. The config goes to each machine with it.

    Raises:
        InputError: num_processes is not set, or, on GPUs, gpu_type.
    """
    params: ProcessParams = plan.launcher.params
    each = processes_per_machine(params, "skypilot")
    name = job_name(command.config.stem)
    there = f"{_FOLDER}/{name}{command.config.suffix}"
    content: dict[str, Any] = {
        "name": name,
        "num_nodes": fixed_machines(params, "skypilot"),
        "resources": _resources(plan, params, each),
        "file_mounts": {there: str(command.config)},
    }
    if not params.container_image:
        content["setup"] = as_block(f"{shell.line(['pip', 'install', *_requirements(plan)])}\n")
    content["run"] = as_block(_RUN.format(command=shell.line(["adapt", *command.words(there)])))
    return _NOTE + to_yaml(content)


def _resources(plan: Plan, params: ProcessParams, each: int) -> dict[str, Any]:
    resources: dict[str, Any] = {"cpus": f"{cores_per_machine(plan, each)}+"}
    if not params.use_cpu:
        if not params.gpu_type:
            raise InputError(
                "--emit skypilot needs gpu_type: the GPU as `sky gpus list` names it (H200). Or use_cpu: true."
            )
        resources["accelerators"] = f"{params.gpu_type}:{each}"
    if params.container_image:
        resources["image_id"] = f"docker:{params.container_image}"
    return resources


def _requirements(plan: Plan) -> list[str]:
    """The distributions of the plan's components, in the versions of this machine, with what they need."""
    chosen = [choice for slot in SLOTS if (choice := getattr(plan, slot)) is not None]
    chosen += [*plan.formats, *plan.metrics, *plan.exporters]
    return sorted({f"{choice.distribution}=={choice.version}" for choice in chosen})
