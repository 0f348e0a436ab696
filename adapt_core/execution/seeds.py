"""SEEDS: the same run with several seeds."""

from __future__ import annotations

import time

import attrs

from adapt_core.config.plan import Plan
from adapt_core.execution.command import Command
from adapt_core.execution.repeated_runs import Repetition
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult

_NOTE = (
    "Intervals are of the mean, by Student's t: they say how far the seed decides, and not what other rows would give. "
    "Each run's own intervals say that."
)
_SEEDS = 2**32


def seeds_of(plan: Plan, registry: Registry) -> Repetition:
    """Return the runs of a plan with SEED, SEED + 1 and so on, in OUTPUT_DIR/seed-42 and so on."""
    first = plan.training.seed
    seeds = [(first + number) % _SEEDS for number in range(plan.training.seeds or 0)]

    since = time.monotonic()

    def run(one: Plan) -> RunResult:
        return Command.of(one, registry, since).execute()

    return Repetition(
        key="SEEDS",
        one="seed",
        plans={
            seed: attrs.evolve(
                plan,
                output_dir=f"{plan.output_dir}/seed-{seed}",
                training=attrs.evolve(plan.training, seed=seed, seeds=None),
            )
            for seed in seeds
        },
        run=run,
        note=_NOTE,
    )
