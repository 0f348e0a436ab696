"""The processes of a run on all machines: started, awaited, and their one result."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial

from adapt_core.config.plan import Plan
from adapt_core.distributed.world import World
from adapt_core.errors import InputError, InterruptedRunError, RegroupError
from adapt_core.execution.worker import message
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.interrupts import StopRequest, stopped_when

from adapt_fsdp.devices import device_count, local_device, process_count
from adapt_fsdp.failures import first_failure, raise_interruption
from adapt_fsdp.membership import RESULT, RunEndedError
from adapt_fsdp.network import interface_towards
from adapt_fsdp.params import ProcessParams
from adapt_fsdp.processes import Worker, pass_on, regroup, started, watch
from adapt_fsdp.rendezvous import Rendezvous, rendezvous
from adapt_fsdp.validation import shared_evenly

log = logging.getLogger(__name__)


def launch(
    plan: Plan,
    params: ProcessParams,
    decision: ResumeDecision | None,
    stop: StopRequest,
    options: Mapping[str, object],
    environment: Mapping[str, str],
) -> RunResult:
    """Start this machine's processes, wait for those of all machines, and return rank 0's result.

    Args:
        plan: the plan.
        params: the launcher's.
        decision: how the run starts or resumes; None on machines other than 0.
        stop: the request to stop, which is passed on to the processes.
        options: training arguments for the loop of each process.
        environment: further variables of each process.

    Raises:
        InputError, DefectError: the first failure on any machine, with its rank.
        InterruptedRunError: all processes stopped with a checkpoint, or a signal ended another machine's command.
        RegroupError: they stopped so for a machine that joins.
        KeyboardInterrupt: a second signal, or one before or after training.
    """
    try:
        with rendezvous(params, shared_evenly(params, plan), RunFolder(plan.output_dir)) as machines:
            counts = machines.all_gather("processes", process_count(params), params.machine_timeout)
            decision = _shared_decision(plan, decision, machines, params.machine_timeout)
            worlds = _worlds(counts, machines.rank, options, params)
            log.info(
                "%d process%s%s on %s",
                sum(counts),
                "es" if sum(counts) > 1 else "",
                _machines(params, machines.size),
                _place(params, len(worlds)),
            )
            steps = stop.steps_before(decision.step)
            messages = [(world.rank, message(plan, world, decision, stop.since, steps)) for world in worlds]
            environments = [{**_environment(world, len(worlds), machines), **environment} for world in worlds]
            try:
                with started(messages, environments) as workers, stop.passed_on(partial(pass_on, workers)):
                    return _outcome(workers, machines, params, stop)
            except InterruptedRunError as error:
                if machines.members is None:
                    raise
                raise _agreed(error, machines, params, stop) from None
    except RunEndedError as ended:
        log.info("%s.", ended)
        return ended.result


def _machines(params: ProcessParams, size: int) -> str:
    if params.may_change:
        least, most = params.machine_range
        return f" on {size} of {least} to {most} machines,"
    return f" on {size} machines," if size > 1 else ""


def _agreed(
    error: InterruptedRunError, machines: Rendezvous, params: ProcessParams, stop: StopRequest
) -> InterruptedRunError:
    """Return what a stop of all processes was for: one that a machine was asked for ends the run, whoever joins."""
    own: str | None = str(error)
    if isinstance(error, RegroupError):
        own = str(stopped_when(stop.asked, error)) if stop.asked else None
    told = [reason for reason in machines.all_gather("stop", own, params.machine_timeout) if reason is not None]
    return InterruptedRunError(told[0]) if told else RegroupError(str(error))


def _shared_decision(plan: Plan, own: ResumeDecision | None, machines: Rendezvous, seconds: float) -> ResumeDecision:
    """Machine 0's decision, on every machine."""
    if own is not None:
        machines.set("decision", own.to_data())
        return own
    decision = ResumeDecision.from_data(machines.wait("decision", seconds), RunFolder(plan.output_dir))
    checkpoint = decision.checkpoint
    if checkpoint is not None and not checkpoint.is_dir():
        raise InputError(f"{checkpoint}, to resume from, is not on this machine: all machines must see OUTPUT_DIR.")
    return decision


def _worlds(counts: list[int], machine: int, options: Mapping[str, object], params: ProcessParams) -> list[World]:
    first = sum(counts[:machine])
    if params.may_change and len(set(counts)) > 1:
        raise InputError(
            f"the machines have {', '.join(map(str, counts))} processes: where machines may leave and join, each needs "
            "as many as the others. Set num_processes."
        )
    return [
        World(
            rank=first + local,
            local_rank=local,
            size=sum(counts),
            device=local_device(params, local),
            options=options,
            planned_size=params.machines * counts[0] if params.may_change else None,
        )
        for local in range(counts[machine])
    ]


def _place(params: ProcessParams, processes: int) -> str:
    if not device_count(params):
        return f"the CPU (gloo), {_threads(processes)} threads each"
    from torch.distributed import get_default_backend_for_device

    kind = local_device(params, 0).partition(":")[0]
    return f"{'GPUs' if kind == 'cuda' else kind} ({get_default_backend_for_device(kind)})"


def _threads(processes: int) -> int:
    return max(len(os.sched_getaffinity(0)) // processes, 1)


def _environment(world: World, processes: int, machines: Rendezvous) -> dict[str, str]:
    """This process's environment, with what users of torch.distributed read, and threads that share the cores."""
    threads = str(_threads(processes))
    interface = interface_towards(machines.host)
    return {
        **({"GLOO_SOCKET_IFNAME": interface} if interface else {}),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONSAFEPATH": "1",
        **os.environ,
        # Libraries under FSDP use a visible GPU, whatever device they are given.
        **({"CUDA_VISIBLE_DEVICES": ""} if world.device == "cpu" else {}),
        "RANK": str(world.rank),
        "LOCAL_RANK": str(world.local_rank),
        "WORLD_SIZE": str(world.size),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": machines.host,
        "MASTER_PORT": str(machines.port),
    }


def _outcome(workers: list[Worker], machines: Rendezvous, params: ProcessParams, stop: StopRequest) -> RunResult:
    def failed_elsewhere() -> bool:
        if machines.grows():
            log.info("a machine waits to join: the processes stop with a checkpoint, and go on with it.")
            regroup(workers)
        return machines.failed_elsewhere()

    watch(workers, failed_elsewhere)
    raise_interruption(workers, stop)
    machines.raise_failure()
    failure = first_failure(workers, params.collective_timeout)
    if failure is not None:
        raise failure
    for worker in workers:
        if worker.rank == 0:
            assert worker.report is not None
            assert worker.report.result is not None
            machines.set(RESULT, worker.report.result)
            return RunResult.from_json(worker.report.result)
    return RunResult.from_json(machines.wait(RESULT, float("inf")))
