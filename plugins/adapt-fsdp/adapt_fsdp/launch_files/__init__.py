"""Launch files for existing schedulers: `adapt run CONFIG --emit slurm|kubernetes|torchrun`.

resources.py   processes, cores and the job's name, for every file
shell.py       words of a command in a script
slurm.py       a batch script
kubernetes.py  a TrainJob of Kubeflow Trainer
torchrun.py    a line of shell
"""

from __future__ import annotations

from collections.abc import Callable

from adapt_core.capabilities import RunCommand
from adapt_core.config.plan import Plan

from adapt_fsdp.launch_files.kubernetes import train_job
from adapt_fsdp.launch_files.slurm import batch_script
from adapt_fsdp.launch_files.torchrun import torchrun_line

WRITERS: dict[str, Callable[[Plan, RunCommand], str]] = {
    "slurm": batch_script,
    "kubernetes": train_job,
    "torchrun": torchrun_line,
}
