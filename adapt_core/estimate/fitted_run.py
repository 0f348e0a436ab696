"""BATCH_SIZE: auto: a run with as many rows at a time as memory allows, and with half of them where it did not."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import MemoryRanOutError
from adapt_core.estimate.batch_size import fit_batch_size, with_batch
from adapt_core.execution.components import check_task, make_launcher, make_task
from adapt_core.nn.pickles import weights_only
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder, rows_of_a_step
from adapt_core.runtime.logs import logged_packages, logging_to
from adapt_core.runtime.progress import SilentReporter

log = logging.getLogger(__name__)


def run_fitted(plan: Plan, registry: Registry, run: Callable[[Plan], RunResult]) -> RunResult:
    """Run a plan with the batch size that fits; where memory runs out all the same, again with half of it.

    It then goes on from its newest checkpoint: each step learns from the same rows.

    Args:
        plan: with FIT_BATCH_SIZE.
        registry: its plugins.
        run: runs a plan in this process's command.

    Raises:
        InputError: the batch size cannot be chosen, and what `run` raises.
        MemoryRanOutError: one row at a time is too much.
    """
    fitted: Plan | None = _as_stored(plan) or _as_foretold(plan, registry)
    while fitted is not None:
        try:
            return run(fitted)
        except MemoryRanOutError as error:
            failure, fitted = str(error), _halved(fitted)
        _release()  # what the traceback held until here
        if fitted is not None:
            log.warning("%s", failure)
            log.warning("The run goes on with BATCH_SIZE %d.", fitted.training.batch_size)
    raise MemoryRanOutError(failure)


def _release() -> None:
    gc.collect()
    if "torch" in sys.modules:
        import torch

        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()


def _as_stored(plan: Plan) -> Plan | None:
    """Return the plan with the batch size of the run that it resumes, or None."""
    folders = [RunFolder(plan.output_dir), *map(RunFolder, Path(plan.output_dir).glob("*-1"))]  # FOLDS and SEEDS
    folder = next((folder for folder in folders if folder.started()), None)
    if plan.resume != "auto" or folder is None:
        return None
    stored = folder.stored_keys()
    rows = plan.training.rows_per_step
    if rows_of_a_step(stored) != rows:
        return None
    return with_batch(plan, stored["BATCH_SIZE"], stored["GRADIENT_ACCUMULATION_STEPS"])


@weights_only()
def _as_foretold(plan: Plan, registry: Registry) -> Plan:
    from adapt_core.distributed.devices import choose_gpus

    check_task(plan, make_task(plan))
    choose_gpus(plan.run.cuda_id)
    make_launcher(plan).check(plan)
    # The run says again what is to be said of its data.
    with logging_to([], SilentReporter(), logged_packages(registry)):
        fit = fit_batch_size(plan, registry)
    fitted = with_batch(plan, fit.batch_size, fit.accumulation)
    return attrs.evolve(fitted, remarks=(*plan.remarks, str(fit)))


def _halved(plan: Plan) -> Plan | None:
    """Return the plan with half of the batch size or less, going on from its newest checkpoint; None with one row."""
    rows = plan.training.rows_per_step
    smaller = [size for size in range(plan.training.batch_size // 2, 0, -1) if rows % size == 0]
    if not smaller:
        return None
    return attrs.evolve(with_batch(plan, smaller[0], rows // smaller[0]), resume="auto", remarks=())
