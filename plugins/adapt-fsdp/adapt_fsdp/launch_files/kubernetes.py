"""A TrainJob of Kubeflow Trainer: its runtime `torch-distributed` gives torchrun each pod's rank."""

from __future__ import annotations

from typing import Any

from adapt_core.capabilities import RunCommand
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError

from adapt_fsdp.launch_files.resources import (
    RESTARTS,
    cores_per_machine,
    fixed_machines,
    job_name,
    processes_per_machine,
)
from adapt_fsdp.launch_files.yaml_text import as_block, to_yaml
from adapt_fsdp.params import ProcessParams

_FOLDER = "/etc/adapt"
_NODE = "node"
"""The runtime's name for the job and the container that train."""


def train_job(plan: Plan, command: RunCommand) -> str:
    """Return two manifests in one file, for `kubectl apply -f`: a ConfigMap with the config, and the TrainJob.

    Raises:
        InputError: container_image or num_processes is not set.
    """
    params: ProcessParams = plan.launcher.params
    if not params.container_image:
        raise InputError("--emit kubernetes needs container_image: an image in which adapt is installed.")
    each = processes_per_machine(params, "kubernetes")
    name = job_name(command.config.stem)
    resources = {"cpu": str(cores_per_machine(plan, each))}
    if not params.use_cpu:
        resources["nvidia.com/gpu"] = str(each)
    file = f"{name}.yaml"  # JSON is YAML
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {file: as_block(command.config.read_text(encoding="utf-8-sig"))},
    }
    job = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name},
        "spec": {
            "runtimeRef": {"name": "torch-distributed"},
            "trainer": {
                "image": params.container_image,
                "numNodes": fixed_machines(params, "kubernetes"),
                "numProcPerNode": each,
                "command": ["torchrun"],
                "args": [
                    f"--max-restarts={RESTARTS}",
                    "--module",
                    "adapt_core",
                    *map(_argument, command.words(f"{_FOLDER}/{file}")),
                ],
                # torchrun starts Python with -m, which imports from the working directory first without it.
                "env": [{"name": "PYTHONSAFEPATH", "value": "1"}],
                "resourcesPerNode": {"requests": resources, "limits": resources},
            },
            "runtimePatches": [{"manager": "adapt.launch/config", "trainingRuntimeSpec": _mounts(params, name)}],
        },
    }
    return "---\n".join(to_yaml(manifest) for manifest in (config_map, job))


def _argument(word: str) -> str:
    """Return a word as Kubernetes takes it: in arguments $(NAME) is a variable of the container, and $$ is $."""
    return word.replace("$", "$$")


def _mounts(params: ProcessParams, name: str) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [{"name": "adapt-config", "configMap": {"name": name}}]
    mounts: list[dict[str, Any]] = [{"name": "adapt-config", "mountPath": _FOLDER, "readOnly": True}]
    if params.volume_claim:
        volumes.append({"name": "adapt-data", "persistentVolumeClaim": {"claimName": params.volume_claim}})
        mounts.append({"name": "adapt-data", "mountPath": params.volume_path})
    pod = {"volumes": volumes, "containers": [{"name": _NODE, "volumeMounts": mounts}]}
    job = {"name": _NODE, "template": {"spec": {"template": {"spec": pod}}}}
    return {"template": {"spec": {"replicatedJobs": [job]}}}
