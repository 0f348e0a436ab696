"""A SLURM batch script: one task on each node, which runs `adapt run` as on any machine."""

from __future__ import annotations

from adapt_core.capabilities import RunCommand
from adapt_core.config.plan import Plan
from adapt_core.plugin.params import parameters_of

from adapt_fsdp.launch_files import shell
from adapt_fsdp.launch_files.resources import cores_per_machine, fixed_machines, job_name, processes_per_machine
from adapt_fsdp.params import ProcessParams

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={machines}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={cores}
{gpus}#SBATCH --output=%x-%j.log
#SBATCH --requeue
#SBATCH --signal=B:USR1@{warning}
# Partition, account and time limit: sbatch --partition=... --time=... FILE
# {warning} seconds before the time limit SLURM warns the job, which saves a checkpoint and is queued again. It resumes
# from the newest complete checkpoint. All nodes must see the paths of the config.
set -euo pipefail

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
export MAIN_NODE=${{nodes[0]}}
export MAIN_PORT={port}

# shellcheck disable=SC2016  # each node's own SLURM_NODEID
srun --kill-on-bad-exit=1 bash -c '
    exec "$@" --set machine_rank="$SLURM_NODEID" \\
        --set main_process_ip="$MAIN_NODE" --set main_process_port="$MAIN_PORT"
' machine {command} &
step=$!
warned=
trap 'warned=yes; kill -USR1 "$step"' USR1
trap 'kill -TERM "$step"' TERM
code=0
wait "$step" || code=$?
while kill -0 "$step" 2>/dev/null; do  # a trap ended the wait
    code=0
    wait "$step" || code=$?
done
if [[ -n $warned && $code -ne 0 ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""

WARNING_SECONDS = 300
"""Before the time limit: for one step with its evaluation, and a checkpoint."""

_PORTS = "$((20000 + SLURM_JOB_ID % 20000))"
"""A port for each job, for jobs that share a node."""


def batch_script(plan: Plan, command: RunCommand) -> str:
    """Return the script, for sbatch.

    Raises:
        InputError: num_processes is not set, and the run is on GPUs.
    """
    params: ProcessParams = plan.launcher.params
    each = processes_per_machine(params, "slurm")
    given = params.main_process_port
    is_default = given == parameters_of(type(params))["main_process_port"].default
    return _SCRIPT.format(
        name=job_name(command.config.stem),
        machines=fixed_machines(params, "slurm"),
        cores=cores_per_machine(plan, each),
        gpus="" if params.use_cpu else f"#SBATCH --gpus-per-node={each}\n",
        warning=WARNING_SECONDS,
        port=_PORTS if is_default else given,
        command=shell.line(["adapt", *command.words()]),
    )
