"""LABEL_SMOOTHING, of one label for each row."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from adapt_core.errors import InputError
from adapt_core.hf.problems.kinds import SINGLE_LABEL

if TYPE_CHECKING:
    from adapt_core.hf.loop.components import TrainerComponents


def with_smoothed_labels(components: TrainerComponents, kind: str, smoothing: float) -> TrainerComponents:
    """Return the components of a loop with LABEL_SMOOTHING in the loss of training steps.

    Args:
        components: that the problem has completed, with its CLASS_WEIGHTS.
        kind: of the problem.
        smoothing: LABEL_SMOOTHING.

    Raises:
        InputError: a row has several labels, or numbers.
    """
    if not smoothing:
        return components
    if kind != SINGLE_LABEL:
        raise InputError(f"LABEL_SMOOTHING is of one label for each row, and problem_type is {kind}. Leave it out.")
    from adapt_core.hf.loop.losses import weighted_cross_entropy

    loss = components.compute_loss or weighted_cross_entropy(None)
    return attrs.evolve(components, compute_loss=partial(loss, smoothing=smoothing))
