"""BATCH_SIZE: auto and GRADIENT_CHECKPOINTING: auto: a run as memory allows it, and with less where it did not.

Less is more of what is recomputed, and then half of the rows at a time.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import MemoryRanOutError
from adapt_core.estimate.activations import Recomputed
from adapt_core.estimate.batch_size import with_batch
from adapt_core.estimate.recomputation import KEYS, fit_memory, with_more_recomputed, with_recomputed
from adapt_core.execution.components import check_task, make_launcher, make_task
from adapt_core.nn.pickles import weights_only
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RECOMPUTATION, RunFolder, rows_of_a_step
from adapt_core.runtime.logs import logged_packages, logging_to
from adapt_core.runtime.progress import SilentReporter

log = logging.getLogger(__name__)


def run_fitted(plan: Plan, registry: Registry, run: Callable[[Plan], RunResult]) -> RunResult:
    """Run a plan as memory allows it; where memory runs out all the same, again with more recomputed, or half the rows.

    It then goes on from its newest checkpoint: each step learns from the same rows.

    Args:
        plan: with FIT_BATCH_SIZE or FIT_RECOMPUTATION.
        registry: its plugins.
        run: runs a plan in this process's command.

    Raises:
        InputError: nothing can be chosen, and what `run` raises.
        MemoryRanOutError: the least is too much.
    """
    fitted: Plan | None = _as_stored(plan) or _as_foretold(plan, registry)
    while fitted is not None:
        try:
            return run(fitted)
        except MemoryRanOutError as error:
            failure, too_much = str(error), fitted
        _release()  # what the traceback held until here
        fitted = _with_less(too_much, registry)
        if fitted is not None:
            log.warning("%s", failure)
            log.warning("The run goes on with %s.", _difference(fitted, too_much))
    raise MemoryRanOutError(failure)


def _release() -> None:
    gc.collect()
    if "torch" in sys.modules:
        import torch

        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()


def _as_stored(plan: Plan) -> Plan | None:
    """Return the plan with what memory decided for the run that it resumes, or None."""
    folders = [RunFolder(plan.output_dir), *map(RunFolder, Path(plan.output_dir).glob("*-1"))]  # FOLDS and SEEDS
    folder = next((folder for folder in folders if folder.started()), None)
    if plan.resume != "auto" or folder is None:
        return None
    stored = folder.stored_keys()
    if plan.training.fit_batch_size:
        if rows_of_a_step(stored) != plan.training.rows_per_step:
            return None
        plan = with_batch(plan, stored["BATCH_SIZE"], stored["GRADIENT_ACCUMULATION_STEPS"])
    if plan.training.fit_recomputation:
        plan = with_recomputed(plan, [key for key in RECOMPUTATION if stored.get(key) is True])
    return plan


@weights_only()
def _as_foretold(plan: Plan, registry: Registry) -> Plan:
    from adapt_core.distributed.devices import choose_gpus

    check_task(plan, make_task(plan))
    choose_gpus(plan.run.cuda_id)
    make_launcher(plan).check(plan)
    # The run says again what is to be said of its data.
    with logging_to([], SilentReporter(), logged_packages(registry)):
        fitted = fit_memory(plan, registry)
    return attrs.evolve(fitted.plan, remarks=(*plan.remarks, *fitted.remarks))


def _with_less(plan: Plan, registry: Registry) -> Plan | None:
    """Return a plan that takes less memory, going on from its newest checkpoint; None where there is none."""
    more = with_more_recomputed(plan, registry) if plan.training.fit_recomputation else None
    if more is not None:
        return attrs.evolve(more, resume="auto", remarks=())
    return _halved(plan) if plan.training.fit_batch_size else None


def _difference(plan: Plan, other: Plan) -> str:
    """Return the settings of a plan by which it takes less memory than another."""
    if plan.training.batch_size != other.training.batch_size:
        return f"BATCH_SIZE {plan.training.batch_size}"
    return " and ".join(f"{key}: true" for key in KEYS[Recomputed.of(plan.training)])


def _halved(plan: Plan) -> Plan | None:
    """Return the plan with half of the batch size or less, going on from its newest checkpoint; None with one row."""
    rows = plan.training.rows_per_step
    smaller = [size for size in range(plan.training.batch_size // 2, 0, -1) if rows % size == 0]
    if not smaller:
        return None
    return attrs.evolve(with_batch(plan, smaller[0], rows // smaller[0]), resume="auto", remarks=())
