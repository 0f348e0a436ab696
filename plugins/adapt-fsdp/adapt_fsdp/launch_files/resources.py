"""Processes and cores of a plan's machines, for every launch file."""

from __future__ import annotations

import re

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError

from adapt_fsdp.devices import PROCESSES_ON_A_CPU
from adapt_fsdp.params import ProcessParams

RESTARTS = 3
"""Restarts by torchrun: its first one after a killed process can fail to connect; the next one resumes."""

SAFE_PATH = ("env", "PYTHONSAFEPATH=1")
"""Before a command that starts Python with -m, which imports from the working directory first without it."""


def processes_per_machine(params: ProcessParams, scheduler: str) -> int:
    """Return the number of processes on each machine; the GPUs of another machine cannot be counted here.

    Raises:
        InputError: num_processes is not set, and the run is on GPUs.
    """
    if params.num_processes is None and not params.use_cpu:
        raise InputError(
            f"--emit {scheduler} needs num_processes: how many processes, and so GPUs, each machine gets. "
            "Or set use_cpu: true."
        )
    return params.num_processes or PROCESSES_ON_A_CPU


def fixed_machines(params: ProcessParams, scheduler: str) -> int:
    """Return the number of machines.

    Raises:
        InputError: it may change while the run trains.
    """
    if params.may_change:
        raise InputError(
            f"--emit {scheduler} asks for a fixed number of machines, and num_machines is {list(params.machine_range)}."
            " Give one number. (Or --emit torchrun, whose machines may change.)"
        )
    return params.machines


def cores_per_machine(plan: Plan, processes: int) -> int:
    """Return the cores of each machine: one for each process and for each of its data workers."""
    return processes * (1 + plan.training.num_workers)


def job_name(stem: str) -> str:
    """Return a config's name as schedulers accept it: at most 50 lowercase letters, digits and dashes."""
    return f"adapt-{re.sub('[^a-z0-9]+', '-', stem.lower())}"[:50].strip("-")
