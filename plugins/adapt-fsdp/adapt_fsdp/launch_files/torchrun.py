"""A line of shell: torchrun starts the processes, and each `adapt run` is one of them."""

from __future__ import annotations

from adapt_core.capabilities import RunCommand
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError

from adapt_fsdp.devices import PROCESSES_ON_A_CPU
from adapt_fsdp.launch_files import shell
from adapt_fsdp.launch_files.resources import RESTARTS, SAFE_PATH, job_name
from adapt_fsdp.params import ProcessParams


def torchrun_line(plan: Plan, command: RunCommand) -> str:
    """Return a line of shell for this machine (machine_rank).

    Raises:
        InputError: several machines, and main_process_ip is not set.
    """
    params: ProcessParams = plan.launcher.params
    each = params.num_processes or (PROCESSES_ON_A_CPU if params.use_cpu else "gpu")
    words = [*SAFE_PATH, "torchrun", f"--nproc-per-node={each}", f"--max-restarts={RESTARTS}"]
    words += _rendezvous(params, job_name(command.config.stem)) if params.machines > 1 else ["--standalone"]
    words += ["--module", "adapt_core", *command.words()]
    return shell.line(words) + "\n"


def _rendezvous(params: ProcessParams, job: str) -> list[str]:
    if not params.main_process_ip:
        raise InputError(f"{params.machines} machines need main_process_ip: the address of machine 0.")
    least, most = params.machine_range
    words = [f"--nnodes={least}:{most}" if params.may_change else f"--nnodes={most}"]
    if params.rdzv_backend == "static" and not params.may_change:  # torchrun's static one is for one number
        where = [f"--master-addr={params.main_process_ip}", f"--master-port={params.main_process_port}"]
        return [*words, f"--node-rank={params.machine_rank}", *where]
    endpoint = f"--rdzv-endpoint={params.main_process_ip}:{params.main_process_port}"
    return [*words, "--rdzv-backend=c10d", endpoint, f"--rdzv-id={job}"]
