"""What a classifier's rows say of its decisions: a temperature and a least confidence, and how well both do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy

from adapt_core.evaluated_rows import EvaluatedRows, softmax
from adapt_core.hf.decisions.abstention import RISK, answered_rows, fewest_rows, least_confidence
from adapt_core.hf.decisions.names import LEAST, REASON, TEMPERATURE, WANTED
from adapt_core.hf.decisions.reliability import (
    Confidences,
    Right,
    adaptive_reliability,
    calibration_error,
    reliability,
)
from adapt_core.hf.decisions.temperature import (
    Classes,
    Logits,
    chosen_temperature,
    negative_log_likelihood,
)


def tuned_decisions(rows: EvaluatedRows, *, calibrate: bool, precision: float | None) -> dict[str, Any]:
    """Return the facts that predictions take from rows of the validation split.

    Args:
        rows: of the final weights, of kind "class".
        calibrate: CALIBRATE.
        precision: ABSTAIN_PRECISION.

    Returns:
        TEMPERATURE (1 where none is used, and REASON says why), and LEAST where rows reach the precision WANTED.
    """
    found: dict[str, Any] = {}
    if calibrate:
        found[TEMPERATURE], reason = _temperature(rows)
        if reason:
            found[REASON] = reason
    if precision is not None:
        found[WANTED] = precision
        least = least_confidence(*_answers(rows, found.get(TEMPERATURE, 1.0)), precision)
        if least is not None:
            found[LEAST] = least
    return found


def measured_decisions(rows: EvaluatedRows, facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return how well decisions do on the rows of a split, JSON-ready: {"calibration", "abstain"}, those that are.

    Args:
        rows: of the final weights.
        facts: as `tuned_decisions` returned them.
    """
    found: dict[str, dict[str, Any]] = {}
    temperature = facts.get(TEMPERATURE)
    if not len(rows):
        return found
    if temperature is not None and rows.scores is not None:
        moments = {"before": 1.0, "after": temperature}
        found["calibration"] = {"rows": len(rows), **{name: _measured(rows, used) for name, used in moments.items()}}
    if LEAST in facts:
        confidences, right = _answers(rows, temperature or 1.0)
        found["abstain"] = attrs.asdict(answered_rows(confidences, right, facts[LEAST]))
    return found


def decided_confidences(rows: EvaluatedRows, facts: Mapping[str, Any]) -> list[float] | None:
    """Return the confidence of each row's class at the temperature among the facts; None where it changes none."""
    temperature = facts.get(TEMPERATURE, 1.0)
    if temperature == 1 or rows.scores is None or not len(rows):
        return None
    confidences, _ = _answers(rows, temperature)
    return [float(value) for value in confidences]


def told_decisions(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the decisions themselves, JSON-ready, by the names of `measured_decisions`."""
    found: dict[str, dict[str, Any]] = {}
    if TEMPERATURE in facts:
        found["calibration"] = {"temperature": facts[TEMPERATURE], "reason": facts.get(REASON, "")}
    if WANTED in facts:
        found["abstain"] = {"precision": facts[WANTED], "least_confidence": facts.get(LEAST)}
    return found


def findings_of(facts: Mapping[str, Any], rows: int) -> list[str]:
    """Return what is wrong with decisions: a precision that rows do not show.

    Args:
        facts: as `tuned_decisions` returned them.
        rows: of the validation split.
    """
    if WANTED not in facts or LEAST in facts:
        return []
    wanted, fewest = facts[WANTED], fewest_rows(facts[WANTED])
    why = (
        f"they are fewer than {fewest}, which have to be right one and all to show it"
        if rows < fewest
        else "no confidence has so few errors above it"
    )
    return [
        f"ABSTAIN_PRECISION {wanted:g}: the {rows} validation rows do not show that any answers have this precision "
        f"(with a risk of {RISK:g}): {why}. Predictions do not abstain. Give more validation rows or a lower precision."
    ]


def _temperature(rows: EvaluatedRows) -> tuple[float, str]:
    if rows.scores is None:
        return 1.0, f"the logits of {len(rows)} validation rows and {len(rows.labels)} classes take too much memory"
    found, reason = chosen_temperature(_logits(rows), _truth(rows))
    plain, scaled = (calibration_error(reliability(*_answers(rows, used))) for used in (1.0, found))
    if not reason and scaled >= plain:
        return (
            1.0,
            f"a temperature of {found:.3g} has an expected calibration error of {scaled:.3g}, not below {plain:.3g}",
        )
    return found, reason


def _measured(rows: EvaluatedRows, temperature: float) -> dict[str, Any]:
    confidences, right = _answers(rows, temperature)
    bins = reliability(confidences, right)
    return {
        "ece": calibration_error(bins),
        "adaptive_ece": calibration_error(adaptive_reliability(confidences, right)),
        "nll": negative_log_likelihood(_logits(rows) / temperature, _truth(rows)),
        "bins": bins,
    }


def _answers(rows: EvaluatedRows, temperature: float) -> tuple[Confidences, Right]:
    """Return the confidence of each row's class, and whether it is right."""
    right = numpy.asarray(rows.right, dtype=bool)
    if rows.scores is None:
        return numpy.asarray(rows.confidence, dtype=numpy.float64), right
    return softmax(_logits(rows) / temperature).max(axis=1), right


def _logits(rows: EvaluatedRows) -> Logits:
    return numpy.asarray(rows.scores, dtype=numpy.float64)


def _truth(rows: EvaluatedRows) -> Classes:
    numbers = {name: number for number, name in enumerate(rows.labels)}
    return numpy.array([numbers[name] for name in rows.expected], dtype=numpy.int64)
