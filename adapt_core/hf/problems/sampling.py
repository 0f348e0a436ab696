"""CLASS_SAMPLING, of rows with one label or several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from adapt_core.errors import InputError
from adapt_core.hf.problems.kinds import REGRESSION
from adapt_core.hf.problems.problem import Problem
from adapt_core.hf.problems.targets import Target

if TYPE_CHECKING:
    from adapt_core.hf.loop.components import TrainerComponents


def with_class_sampling(
    components: TrainerComponents, problem: Problem, targets: Iterable[Target], wanted: str | None
) -> TrainerComponents:
    """Return the components of a loop whose epochs show rows by CLASS_SAMPLING.

    Args:
        components: of the task.
        problem: of its data.
        targets: of the training rows; none where the run does not train.
        wanted: CLASS_SAMPLING.

    Raises:
        InputError: the rows have numbers, not labels.
    """
    if wanted is None:
        return components
    if problem.kind == REGRESSION:
        raise InputError("CLASS_SAMPLING is of labels, and the rows have numbers. Leave CLASS_SAMPLING out.")
    from adapt_core.hf.data.resampling import POWERS, class_balanced

    rows = [problem.expected(target) for target in targets]
    return attrs.evolve(components, shares=class_balanced(rows, POWERS[wanted])) if rows else components
