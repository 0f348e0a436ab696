"""The loop of a problem with its keys: LOSS, CLASS_WEIGHTS, LABEL_SMOOTHING and CLASS_SAMPLING."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from adapt_core.errors import InputError
from adapt_core.hf.problems.params import ProblemParams
from adapt_core.hf.problems.problem import Problem
from adapt_core.hf.problems.sampling import with_class_sampling
from adapt_core.hf.problems.smoothing import with_smoothed_labels
from adapt_core.hf.problems.targets import Target

if TYPE_CHECKING:
    from adapt_core.contracts import TaskData
    from adapt_core.hf.loop.components import TrainerComponents


def completed(
    components: TrainerComponents,
    problem: Problem,
    data: TaskData,
    targets: Iterable[Target],
    params: ProblemParams,
    *,
    mixes: bool = False,
) -> TrainerComponents:
    """Return the components of a loop with the loss, the metrics and the rows of a problem, as the keys say.

    Args:
        components: of the task.
        problem: of its data.
        data: of the run.
        targets: of the training rows.
        params: of the task.
        mixes: whether the labels of training are shares of classes, not ids.

    Raises:
        InputError: a key does not suit the data.
        DataError: CLASS_WEIGHTS does not name the labels.
    """
    known = list(targets)
    found = problem.complete(components, data, known, params.class_weights)
    if params.loss is not None:
        found = _with_loss(found, problem, params, mixes=mixes)
    found = with_smoothed_labels(found, problem.kind, params.label_smoothing)
    return with_class_sampling(found, problem, known, params.class_sampling)


def _with_loss(
    components: TrainerComponents, problem: Problem, params: ProblemParams, *, mixes: bool
) -> TrainerComponents:
    from adapt_core.hf.loop.losses import mean_loss
    from adapt_core.nn.named.code import NamedCodeError
    from adapt_core.nn.named.losses import named_loss, require_loss, toy_targets

    assert params.loss is not None
    outputs = len(problem.names)
    try:
        loss = named_loss(params.loss, params.loss_options or {})
        for shares in {False, mixes}:
            require_loss(params.loss, loss, outputs, toy_targets(problem.kind, outputs, shares=shares))
    except NamedCodeError as error:
        raise InputError(f"LOSS: {error} (Correct LOSS or LOSS_OPTIONS.)") from error
    return attrs.evolve(components, compute_loss=mean_loss(loss), weigh_loss=None)
