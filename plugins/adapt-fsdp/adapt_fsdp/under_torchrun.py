"""A command that torchrun started: it starts no processes, for it is one of them itself."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Launcher, Work
from adapt_core.distributed.torchrun import Place
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision

from adapt_fsdp.params import ProcessParams

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

    from adapt_core.result import RunResult

_DECISION = "decision"


def work_as_one(
    plan: Plan,
    params: ProcessParams,
    launcher: Launcher,
    work: Work,
    decision: ResumeDecision | None,
    place: Place,
    options: Mapping[str, Any],
) -> RunResult:
    """Does this process's part of a run, and returns the result, which all have.

    Args:
        plan: the plan.
        params: the launcher's.
        launcher: whose process group this process joins.
        work: the whole run in one process.
        admission: how the run enters its folder, from rank 0's command; None in the others.
        place: this process's.
        options: what the loop of each process is asked for.

    Raises:
        InputError: rank 0 did not say within `machine_timeout` how the run begins.
    """
    from adapt_fsdp.joining import store_of_the_run
    from adapt_fsdp.launching import device_count

    if not device_count(params):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # as `launching` has it for processes of its own
    done = RunFolder(plan.output_dir).finished() if plan.resume == "auto" else None
    if decision is None and done is not None:
        return done  # Rank 0 saw it too, and joins nobody.
    world = World(
        rank=place.rank,
        local_rank=place.local_rank,
        size=place.size,
        device=f"cuda:{place.local_rank}" if device_count(params) else "cpu",
        options=options,
    )
    store = store_of_the_run(timedelta(seconds=params.machine_timeout))
    if decision is not None:
        found = decision.checkpoint and str(decision.checkpoint)
        store.set(_DECISION, json.dumps({"checkpoint": found, "before": decision.before}))
    else:
        decision = _heard(store, plan, params.machine_timeout)
    with launcher.process_group(world):
        return work(world, decision)


def _heard(store: Store, plan: Plan, seconds: float) -> ResumeDecision:
    end = time.monotonic() + seconds
    while not store.check([_DECISION]):
        if time.monotonic() > end:
            raise InputError(f"rank 0 did not begin the run within machine_timeout ({seconds:g} s).")
        time.sleep(0.1)
    told = json.loads(store.get(_DECISION))
    checkpoint = Path(told["checkpoint"]) if told["checkpoint"] else None
    return ResumeDecision(folder=RunFolder(plan.output_dir), checkpoint=checkpoint, before=told["before"])
