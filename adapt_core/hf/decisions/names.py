"""The names of decisions among the facts of a run's data, and in the config of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

THRESHOLDS = "thresholds"
TEMPERATURE = "calibration_temperature"
"""transformers has a `temperature` of its own, of generated texts."""
LEAST = "abstain_below"
KEPT = (THRESHOLDS, TEMPERATURE, LEAST)
"""Those that a model's config has."""

REASON = "calibration_reason"
WANTED = "abstain_precision"
"""Those that only the facts have."""


def kept_decisions(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model's config has of facts, or of another config; not a temperature of 1, which does nothing."""
    found = {name: facts[name] for name in KEPT if facts.get(name) is not None}
    return {name: value for name, value in found.items() if name != TEMPERATURE or value != 1}
