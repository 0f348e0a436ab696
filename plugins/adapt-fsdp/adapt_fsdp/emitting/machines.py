"""What every launch file says of a plan's machines."""

from __future__ import annotations

import re

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError

from adapt_fsdp.params import ProcessParams

PROCESSES_ON_A_CPU = 2
RESTARTS = 3
"""torchrun's first start after a killed process can fail to connect; the next one resumes."""


def processes_of_each(params: ProcessParams, scheduler: str) -> int:
    """Processes on each machine, which the machine that writes the file cannot count.

    Raises:
        InputError: they are not given, and the run is not on CPUs.
    """
    if params.num_processes is None and not params.use_cpu:
        raise InputError(
            f"--emit {scheduler} needs num_processes: how many processes, and so GPUs, each machine gets. "
            "Or set use_cpu: true."
        )
    return params.num_processes or PROCESSES_ON_A_CPU


def cores_of_each(plan: Plan, processes: int) -> int:
    """Cores of each machine: one for each process and for each of its data workers."""
    return processes * (1 + plan.training.num_workers)


def job_name(stem: str) -> str:
    """A config's name as schedulers take it: small letters, digits and dashes, 50 at most."""
    return f"adapt-{re.sub('[^a-z0-9]+', '-', stem.lower())}"[:50].strip("-")
