"""The Ray that a run takes place on: one on this machine alone, for the time of the run, or one that is there."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from typing import Any

from adapt_core.errors import InputError
from adapt_core.runtime.cores import usable_cores

from adapt_ray.params import RayParams

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
"""Environment variables of each run: nothing is sent to Ray's makers, and no process watches what adapt watches."""

PROCESSES_ON_A_CPU = 2
"""Of a run that names no num_processes."""

_OBJECT_STORE_BYTES = 80 * 1024**2
"""Nearly the least that Ray takes: no data of the run goes through it."""


_SECONDS_TO_ANSWER = 10.0


def local_environment() -> dict[str, str]:
    """Return environment variables by which a Ray on this machine is reached from this machine alone.

    Ray takes the machine's own address even where it is told the loopback; this is its switch for laptops, on which it
    would ask for permission to listen. Its token of access is new for each run, and in no file of the home folder. Its
    workers would give way to every other process, with a niceness of 15.
    """
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_worker_niceness": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def processes_here(*, use_cpu: bool) -> int:
    """Return the processes of a run on a Ray of this machine that names no num_processes. Imports torch.

    Args:
        use_cpu: whether GPUs are left alone.
    """
    import torch

    return (0 if use_cpu else torch.cuda.device_count()) or PROCESSES_ON_A_CPU


def connect(address: str | None, folder: str, cpus: float, *, use_cpu: bool) -> None:
    """Start a Ray on this machine, or join the one at an address.

    Args:
        address: of the cluster; None for one of its own.
        folder: for its files: sockets and logs.
        cpus: that a Ray of its own has at least.
        use_cpu: whether it is to have no GPUs.
    """
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address is not None:
        ray.init(address=address, **quiet)
        return
    ray.init(
        num_cpus=max(int(cpus), usable_cores()),
        num_gpus=0 if use_cpu else None,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        _temp_dir=folder,
        **quiet,
    )


def require_reachable(address: str) -> None:
    """Check that something listens at the address of a cluster. Ray itself tries for many minutes.

    Raises:
        InputError: nothing does, or it is no address.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"ray_address: {address!r} is no address of a cluster's head. Give HOST:PORT, or auto.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise InputError(
            f"ray_address: no Ray answers at {address}: {error.strerror or error}. Give the address of a running "
            "cluster's head (ray status shows it)."
        ) from None


def reserved(params: RayParams, processes: int | None) -> dict[str, float]:
    """Return what the config reserves for each process; on this machine, the cores shared where it says nothing.

    Args:
        params: of the launcher.
        processes: at one time; None for a cluster's own number.
    """
    found = {name: float(str(amount)) for name, amount in (params.resources_per_worker or {}).items()}
    if params.ray_address is None and processes is not None:
        found.setdefault("CPU", float(max(1, usable_cores() // processes)))
    return found


def wanted(job: Mapping[str, Any]) -> tuple[dict[str, float], int]:
    """Return what each process of a job takes of the Ray that is connected, and how many GPUs that has for it."""
    import ray

    gpus = 0 if job["use_cpu"] else int(ray.cluster_resources().get("GPU", 0))
    return {"CPU": 1.0, **({"GPU": 1.0} if gpus else {}), **job["resources"]}, gpus


def lacking(wanted: Mapping[str, float], processes: int) -> str | None:
    """Return what the cluster can never give to all processes, in words; None where it has enough.

    Ray would wait for it, for ever.
    """
    import ray

    there = ray.cluster_resources()
    for name, amount in wanted.items():
        if amount * processes > there.get(name, 0.0):
            return f"{processes} processes with {amount:g} {name} each, and Ray has {there.get(name, 0.0):g} {name}"
    return None
