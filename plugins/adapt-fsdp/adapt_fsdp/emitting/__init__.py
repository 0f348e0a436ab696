"""Launch files for schedulers that are there already: `adapt run CONFIG --emit slurm|kubernetes|torchrun`."""

from __future__ import annotations

from collections.abc import Callable

from adapt_core.capabilities import RunCommand
from adapt_core.config.plan import Plan

from adapt_fsdp.emitting.kubernetes import train_job
from adapt_fsdp.emitting.slurm import batch_script
from adapt_fsdp.emitting.torchrun import torchrun_line

WRITERS: dict[str, Callable[[Plan, RunCommand], str]] = {
    "slurm": batch_script,
    "kubernetes": train_job,
    "torchrun": torchrun_line,
}
