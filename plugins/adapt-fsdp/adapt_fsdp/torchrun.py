"""A command that torchrun started: it is one process of the run and starts none."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from adapt_core.config.plan import Plan
from adapt_core.contracts import Work
from adapt_core.distributed.torchrun import Place
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision

from adapt_fsdp.devices import device_count, local_device
from adapt_fsdp.params import ProcessParams
from adapt_fsdp.process_group import run_store

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

    from adapt_core.result import RunResult

_DECISION = "decision"


class WorkerSettings(Protocol):
    """What a process needs of its launcher to join the others."""

    @property
    def params(self) -> ProcessParams:
        """The launcher's parameters."""

    def environment(self) -> Mapping[str, str]:
        """Return environment variables of each process."""

    def process_group(self, world: World) -> AbstractContextManager[None]:
        """Return a context in which this process belongs to the group."""


def run_as_worker(
    plan: Plan,
    launcher: WorkerSettings,
    work: Work,
    decision: ResumeDecision | None,
    place: Place,
    options: Mapping[str, object],
) -> RunResult:
    """Run a plan in this process as one of its ranks, and return the result, which is the same on all.

    Args:
        plan: the plan.
        launcher: whose process group this process joins.
        work: the whole run in one process.
        decision: how the run starts or resumes, from rank 0's command; None in the others.
        place: this process's rank.
        options: training arguments for the loop.

    Raises:
        InputError: rank 0 did not start within `machine_timeout`.
    """
    params = launcher.params
    os.environ.update(launcher.environment())
    if not device_count(params):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # As `launch` does for processes that it starts.
    world = World(
        rank=place.rank,
        local_rank=place.local_rank,
        size=place.size,
        device=local_device(params, place.local_rank),
        options=options,
        planned_size=params.machines * int(os.environ["LOCAL_WORLD_SIZE"]) if params.may_change else None,
    )
    store = run_store(timedelta(seconds=params.machine_timeout))
    if decision is not None:
        store.set(_DECISION, json.dumps(decision.to_data()))
    else:
        decision = _wait_for_decision(store, plan, params.machine_timeout)
    with launcher.process_group(world):
        return work(world, decision)


def _wait_for_decision(store: Store, plan: Plan, seconds: float) -> ResumeDecision:
    end = time.monotonic() + seconds
    while not store.check([_DECISION]):
        if time.monotonic() > end:
            raise InputError(
                f"rank 0 did not start the run within machine_timeout ({seconds:g} s)."
                " Look at rank 0's output, or raise machine_timeout."
            )
        time.sleep(0.1)
    return ResumeDecision.from_data(json.loads(store.get(_DECISION)), RunFolder(plan.output_dir))
