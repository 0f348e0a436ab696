"""SETTINGS: auto, as far as it is decided by the data."""

from __future__ import annotations

from adapt_core.config.fitting import fit_rows
from adapt_core.config.plan import Plan
from adapt_core.execution.components import check_task, make_task
from adapt_core.plugin.registry import Registry
from adapt_core.runtime.logs import logged_packages, logging_to
from adapt_core.runtime.progress import make_reporter


def fit_settings(plan: Plan, registry: Registry) -> Plan:
    """Return a plan with the epochs and the batch size that fit its data, where SETTINGS: auto chooses them.

    The data is prepared, which the run finds again in its cache; it tells what is found of it.

    Raises:
        InputError: what the run would refuse of its data.
    """
    if not plan.fitting:
        return plan
    with logging_to([], make_reporter(is_main=False), logged_packages(registry)):
        task = make_task(plan)
        check_task(plan, task)
        data = task.load_data()
    return fit_rows(plan, len(data.train))
