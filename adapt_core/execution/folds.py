"""FOLDS: a run for each fold, and the predictions of all rows by models that did not see them."""

from __future__ import annotations

import time
from functools import partial

import attrs

from adapt_core.config.plan import Plan
from adapt_core.execution.out_of_fold import join_folds, predict_held_out, run_fold
from adapt_core.execution.repeated_runs import Ran, Repetition
from adapt_core.plugin.registry import Registry

_NOTE = (
    "Intervals are of the mean, by Student's t. Folds share training rows, so they are narrower than those of "
    "independent runs (Bengio and Grandvalet, 2004)."
)


def folds_of(plan: Plan, registry: Registry) -> Repetition:
    """Return the folds of a plan, in OUTPUT_DIR/fold-1 and so on."""

    def join(ran: Ran) -> dict[str, int]:
        return {"rows": join_folds(plan, ran)}

    return Repetition(
        key="FOLDS",
        one="fold",
        plans={
            number: attrs.evolve(
                plan, output_dir=f"{plan.output_dir}/fold-{number}", data=attrs.evolve(plan.data, fold=number)
            )
            for number in range(1, (plan.data.folds or 0) + 1)
        },
        run=partial(run_fold, registry=registry, since=time.monotonic()),
        complete=predict_held_out,
        join=join,
        note=_NOTE,
    )
