"""From a plan to the processes of all machines, and back to one result: what ddp and fsdp share."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.distributed import torchrun
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.execution.worker import message
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision

from adapt_fsdp.addresses import interface_towards
from adapt_fsdp.failures import first_failure
from adapt_fsdp.machines import Meeting, met
from adapt_fsdp.params import ProcessParams
from adapt_fsdp.processes import Worker, started, watch

log = logging.getLogger(__name__)

PROCESSES_ON_A_CPU = 2


def device_count(params: ProcessParams) -> int:
    """The GPUs that this machine's processes may use; 0 means the CPU."""
    import torch

    return 0 if params.use_cpu else torch.cuda.device_count()


def processes_here(params: ProcessParams) -> int:
    """The number of this machine's processes."""
    return params.num_processes or device_count(params) or PROCESSES_ON_A_CPU


def check_processes(params: ProcessParams, plan: Plan) -> None:
    """Refuses processes that this machine cannot hold, and machines that cannot meet.

    Raises:
        InputError: with the reason.
    """
    if params.num_machines and params.num_nodes and params.num_machines != params.num_nodes:
        raise InputError(
            f"num_machines ({params.num_machines}) and num_nodes ({params.num_nodes}) mean the same. Give one of them."
        )
    by_torchrun = torchrun.place() is not None
    if params.machines > 1 and not params.main_process_ip and not by_torchrun:
        raise InputError(f"{params.machines} machines need main_process_ip: the address of machine 0.")
    if params.machine_rank >= params.machines:
        raise InputError(
            f"machine_rank is {params.machine_rank}, and the {params.machines} machines (num_machines) count from 0."
        )
    if not params.same_network and params.rdzv_backend == "static":
        raise InputError(
            "same_network: false needs rdzv_backend: c10d. With static, machines must reach each other directly."
        )
    gpus = device_count(params)
    if gpus and (params.num_processes or 0) > gpus:
        raise InputError(
            f"num_processes is {params.num_processes}, and this machine shows {gpus} GPUs: a process needs its own. "
            "Lower num_processes, or set use_cpu: true."
        )
    half = params.mixed_precision == "fp16" or (params.mixed_precision is None and plan.training.fp16)
    if half and not gpus:
        raise InputError(
            "float16 mixed precision (FP16, mixed_precision: fp16) needs GPUs, and this run is on the CPU. Use bf16."
        )


def precision_options(params: ProcessParams) -> dict[str, Any]:
    """mixed_precision as training arguments, where it is given."""
    chosen = params.mixed_precision
    return {} if chosen is None else {"bf16": chosen == "bf16", "fp16": chosen == "fp16"}


def launch(
    plan: Plan,
    params: ProcessParams,
    decision: ResumeDecision | None,
    options: Mapping[str, Any],
    environment: Mapping[str, str] = MappingProxyType({}),
) -> RunResult:
    """Starts this machine's processes, waits for all machines', and returns rank 0's result.

    Args:
        plan: the plan.
        params: the launcher's.
        admission: how the run enters its folder; None on machines other than 0.
        options: what the loop of each process is asked for.
        environment: further variables of each process.

    Raises:
        InputError, DefectError: the first cause of a failure on any machine, with its rank.
    """
    with met(params) as meeting:
        counts = meeting.all_of("processes", processes_here(params), params.machine_timeout)
        decision = _admission(plan, decision, meeting, params.machine_timeout)
        worlds = _worlds(counts, meeting.machine, device_count(params) > 0, options)
        log.info(
            "%d processes%s on %s",
            sum(counts),
            f" on {meeting.machines} machines," if meeting.machines > 1 else "",
            "GPUs (nccl)" if device_count(params) else f"the CPU (gloo), {_threads(len(worlds))} threads each",
        )
        messages = [(world.rank, message(plan, world, decision)) for world in worlds]
        environments = [{**_environment(world, len(worlds), meeting), **environment} for world in worlds]
        with started(messages, environments) as workers:
            return _outcome(workers, meeting, params)


def _admission(plan: Plan, own: ResumeDecision | None, meeting: Meeting, seconds: float) -> ResumeDecision:
    """Machine 0's admission; the other machines take it over."""
    if own is not None:
        found = own.checkpoint and str(own.checkpoint)
        meeting.tell("decision", {"checkpoint": found, "before": own.before})
        return own
    told = meeting.hear("decision", seconds)
    checkpoint = Path(told["checkpoint"]) if told["checkpoint"] else None
    if checkpoint is not None and not checkpoint.is_dir():
        raise InputError(f"{checkpoint}, to resume from, is not here: OUTPUT_DIR must lie where all machines see it.")
    return ResumeDecision(folder=RunFolder(plan.output_dir), checkpoint=checkpoint, before=told["before"])


def _worlds(counts: list[int], machine: int, on_gpus: bool, options: Mapping[str, Any]) -> list[World]:
    first = sum(counts[:machine])
    return [
        World(
            rank=first + local,
            local_rank=local,
            size=sum(counts),
            device=f"cuda:{local}" if on_gpus else "cpu",
            options=options,
        )
        for local in range(counts[machine])
    ]


def _threads(processes: int) -> int:
    return max(len(os.sched_getaffinity(0)) // processes, 1)


def _environment(world: World, processes: int, meeting: Meeting) -> dict[str, str]:
    """This process's, with what torch.distributed's users look for, and threads that share the cores."""
    threads = str(_threads(processes))
    interface = interface_towards(meeting.host) if meeting.machines > 1 else None
    return {
        **({"GLOO_SOCKET_IFNAME": interface} if interface else {}),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        # Libraries under FSDP take a GPU that they see, whatever device they are told.
        **({} if world.device.startswith("cuda") else {"CUDA_VISIBLE_DEVICES": ""}),
        "RANK": str(world.rank),
        "LOCAL_RANK": str(world.local_rank),
        "WORLD_SIZE": str(world.size),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": meeting.host,
        "MASTER_PORT": str(meeting.port),
    }


def _outcome(workers: list[Worker], meeting: Meeting, params: ProcessParams) -> RunResult:
    watch(workers, meeting.failed_elsewhere)
    meeting.raise_failure()
    failure = first_failure(workers, params.collective_timeout)
    if failure is not None:
        raise failure
    for worker in workers:
        if worker.rank == 0:
            assert worker.report is not None
            assert worker.report.result is not None
            meeting.tell("result", worker.report.result)
            return RunResult.from_json(worker.report.result)
    return RunResult.from_json(meeting.hear("result", float("inf")))
