"""The verdict on the data before training: what the registered checks find, bounded in time, none of them fatal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy

from adapt_core.capabilities import SupportsFrozenFeatures
from adapt_core.config.data_checks import serving_checks
from adapt_core.config.plan import Plan
from adapt_core.contracts import CheckSkipped, Finding, Subject, TaskData
from adapt_core.contracts.data_check import SHOWN, worse_than_baseline
from adapt_core.nn.random_state import untouched_random_state
from adapt_core.plugin.registry import Registered, Registry
from adapt_core.plugin.specs import DataCheckSpec
from adapt_core.result_records import VerdictRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class CheckOutcome:
    """What became of one check.

    Attributes:
        name, summary: of its spec.
        seconds: wall time that it took.
        findings: what it found.
        left_out: why it was not made, or did not come to an end; None where it did.
    """

    name: str
    summary: str
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    left_out: str | None = None


@attrs.frozen
class Verdict:
    """The outcomes of all checks that had something to check."""

    outcomes: tuple[CheckOutcome, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The findings that put metrics in doubt."""
        return [f"data: {one.message}" for outcome in self.outcomes for one in outcome.findings if one.warns]

    def to_beat(self, directions: Mapping[str, str]) -> dict[str, tuple[float, str]]:
        """Return metric -> the best value of any baseline, and what reaches it.

        Args:
            directions: metric -> "higher" or "lower".
        """
        best: dict[str, tuple[float, str]] = {}
        for finding in (one for outcome in self.outcomes for one in outcome.findings):
            for name, value in finding.to_beat.items():
                known = best.get(name)
                is_better = known is None or worse_than_baseline({name: known[0]}, {name: value}, directions)
                if is_better:
                    best[name] = (value, finding.message)
        return best

    def not_beaten(self, after: Mapping[str, float] | None, directions: Mapping[str, str]) -> list[str]:
        """Return a warning where the trained model is worse than a plain baseline, in the first metric that it is.

        Args:
            after: metrics of the trained model on validation, or None.
            directions: metric -> "higher" or "lower".
        """
        best = self.to_beat(directions)
        name = worse_than_baseline(after or {}, {metric: value for metric, (value, _) in best.items()}, directions)
        if not name:
            return []
        value, told = best[name]
        return [
            f"{name} after training is {(after or {})[name]:.4f}, worse than {value:.4f} of a plain baseline ({told})"
        ]

    def say(self) -> None:
        """Log what is no warning: other findings, and checks that were left out."""
        for outcome in self.outcomes:
            if outcome.left_out is not None:
                log.info("check of the data %s: left out: %s", outcome.name, outcome.left_out)
            for finding in outcome.findings:
                if not finding.warns:
                    log.info("check of the data %s: %s", outcome.name, finding.message)

    def to_data(self) -> VerdictRecord:
        """Return the JSON-ready form, as in `result.json`; empty where nothing was checked."""
        if not self.outcomes:
            return {}
        return {
            "seconds": round(sum(one.seconds for one in self.outcomes), 3),
            "checks": {
                one.name: {
                    "summary": one.summary,
                    "seconds": round(one.seconds, 3),
                    "left_out": one.left_out,
                    "findings": [
                        {
                            "message": found.message,
                            "warns": found.warns,
                            "figures": dict(found.figures),
                            "to_beat": dict(found.to_beat),
                            "rows": [dict(row) for row in found.rows[:SHOWN]],
                        }
                        for found in one.findings
                    ],
                }
                for one in self.outcomes
            },
        }


@attrs.define(eq=False)
class FrozenFeatures:
    """What the base model of a task makes of examples; see `adapt_core.contracts.data_check.Features`.

    Attributes:
        task: makes the features.
        data: of the run.
        model: returns the base model, called once.
        left: returns the seconds that are left.
    """

    task: SupportsFrozenFeatures
    data: TaskData
    model: Callable[[], nn.Module]
    left: Callable[[], float]
    seconds_each: float | None = None
    _loaded: nn.Module | None = None
    _known: dict[tuple[str, int], NDArray[numpy.float32]] = attrs.field(factory=dict)

    def __call__(self, split: str, positions: Sequence[int]) -> NDArray[numpy.float32]:
        asked = [position for position in positions if (split, position) not in self._known]
        if asked:
            self._loaded = self._loaded or self.model()
            start = time.monotonic()
            found = self.task.frozen_features(self._loaded, self.data, split, asked, self.left())
            self._known.update(zip(((split, position) for position in asked), found, strict=True))
            self.seconds_each = (time.monotonic() - start) / len(asked)
        return numpy.stack([self._known[split, position] for position in positions])


def examine_data(
    plan: Plan, registry: Registry, task: object, data: TaskData, model: Callable[[], nn.Module]
) -> Verdict:
    """Return what the checks of VERDICT find in the data of a run, within VERDICT_SECONDS. Random states are kept.

    Args:
        plan: of the run.
        registry: for the checks.
        task: which may make features of examples.
        data: what `load_data` returned.
        model: returns the task's base model, called where a check asks for features.
    """
    spec = registry.task_spec(plan.task.name)
    checks = serving_checks(plan.run, spec, plan.task.params, registry)
    if not checks or data.examples is None:
        return Verdict()
    start = time.monotonic()

    def left() -> float:
        return plan.run.verdict_seconds - (time.monotonic() - start)

    outcomes = []
    subject: Subject | None = None
    for check in checks:
        if check.spec.name == "groups" and plan.data.group_column is None:
            continue  # its data need not be read
        if left() <= 0:
            why = f"the checks before it took the {plan.run.verdict_seconds:g} s of VERDICT_SECONDS"
            outcomes.append(CheckOutcome(name=check.spec.name, summary=check.spec.summary, left_out=why))
            continue
        if subject is None:
            subject = Subject(
                plan=plan,
                splits=data.examples(),
                metrics=spec.metrics,
                features=FrozenFeatures(task, data, model, left) if isinstance(task, SupportsFrozenFeatures) else None,
            )
        with untouched_random_state():
            outcome = _outcome(check, attrs.evolve(subject, seconds=left()))
        if outcome is not None:
            outcomes.append(outcome)
    return Verdict(tuple(outcomes))


def _outcome(check: Registered[DataCheckSpec], subject: Subject) -> CheckOutcome | None:
    """Return what became of a check, None where the data has nothing for it."""
    spec, start = check.spec, time.monotonic()
    outcome: dict[str, Any] = {"name": spec.name, "summary": spec.summary}
    try:
        found: Iterable[Finding] | None = spec.load()().examine(subject)
        if found is None:
            return None
        outcome["findings"] = tuple(found)
    except KeyboardInterrupt:
        raise
    except CheckSkipped as why:
        outcome["left_out"] = str(why)
    except BaseException as error:  # a check that raises or exits does not end the run
        cause = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        outcome["left_out"] = f"it failed ({cause})"
        log.warning(
            "the check of the data %s of %s failed and is left out: %s", spec.name, check.provenance.distribution, cause
        )
        log.debug("traceback of %s", spec.name, exc_info=True)
    return CheckOutcome(**outcome, seconds=time.monotonic() - start)
