"""Launch files for existing schedulers: `adapt run CONFIG --emit slurm|kubernetes|skypilot|torchrun`.

resources.py   processes, cores and the job's name, for every file
shell.py       words of a command in a script
slurm.py       a batch script
kubernetes.py  a TrainJob of Kubeflow Trainer
skypilot.py    a task of SkyPilot
torchrun.py    a line of shell
yaml_text.py   YAML that hides nothing
"""

from __future__ import annotations

from collections.abc import Callable

from adapt_core.capabilities import RunCommand
from adapt_core.config.plan import Plan

from adapt_fsdp.launch_files.kubernetes import train_job
from adapt_fsdp.launch_files.skypilot import task
from adapt_fsdp.launch_files.slurm import batch_script
from adapt_fsdp.launch_files.torchrun import torchrun_line

WRITERS: dict[str, Callable[[Plan, RunCommand], str]] = {
    "slurm": batch_script,
    "kubernetes": train_job,
    "skypilot": task,
    "torchrun": torchrun_line,
}
