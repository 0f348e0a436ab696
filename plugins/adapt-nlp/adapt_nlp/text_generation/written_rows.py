"""How many rows an evaluation answers: GENERATE_IN_EVALUATION, or as many as cost a tenth of the run.

The default is counted and not timed, so that a run on the same device kind always answers the same rows. All is counted
in tokens that go through the model once: a training step takes a token three times (Kaplan et al., 2020: the backward
pass is twice the forward pass), and a token that is written costs a pass over the weights, which is as long as that of
many tokens: `tokens_of_a_pass`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from adapt_core.config.plan import Plan
from adapt_core.evaluation import OF_PLACE

from adapt_nlp.metrics import names
from adapt_nlp.params import TextGenerationParams

if TYPE_CHECKING:
    from adapt_core.contracts import TaskData
    from adapt_core.evaluation import Statistic

SHARE = 0.1
"""Of a run, for what its evaluations write."""
MOST = 200
"""Rows beyond which the default gains little: the interval of a share is within 7 points."""
ASKED = 16
"""The least rows where METRICS or METRIC_FOR_BEST asks for scores of written texts."""
_TRAINED = 3
_RATE = {"cpu": 5e10, "cuda": 1e14}
"""Floating point operations a second, roughly: of a few cores, and of a GPU's matrix units at a usual share."""
_ALIKE = {"cpu": 16.0, "cuda": 300.0}
"""Tokens up to which a pass takes as long as for one, since it reads all weights (operations for each byte read)."""
_LAYER_SECONDS = 5e-4
"""What a layer takes of a pass, whatever its size: Python, kernels that are launched."""


@attrs.frozen(kw_only=True)
class Size:
    """What the time of a pass depends on.

    Attributes:
        parameters: of the model.
        layers: of the model.
        device: "cpu" or another kind.
        together: rows that are answered in one batch.
        processes: among which the rows are shared out; 1 where each takes part in all of them (FSDP).
        trained: processes that train.
    """

    parameters: int
    layers: int
    device: str
    together: int
    processes: int = 1
    trained: int = 1


def tokens_of_a_pass(size: Size) -> float:
    """Return how many tokens of training take as long as one pass over the weights for a few tokens."""
    rate, alike = (table.get(size.device, table["cuda"]) for table in (_RATE, _ALIKE))
    return alike + size.layers * _LAYER_SECONDS * rate / (2 * max(size.parameters, 1))


def is_asked(plan: Plan[TextGenerationParams]) -> bool:
    """Return whether METRICS or METRIC_FOR_BEST needs written texts."""
    wanted = (plan.training.metric_for_best or "").removeprefix("eval_").casefold().partition(OF_PLACE)[0]
    figures = [*names.WRITTEN, *(name for one in plan.metrics for name in one.figures)]
    return bool(plan.metrics) or wanted in {name.casefold() for name in figures}


def evaluations(plan: Plan[TextGenerationParams], steps: int) -> int:
    """Return how often a run evaluates, with those before training, of a test split, and of ALSO_EVALUATE."""
    training, further = plan.training, 2 * len(plan.data.also_evaluate or ())
    if not training.do_train:
        return 2 + further
    each = {"epoch": math.ceil(training.epochs), "steps": steps // training.interval_steps, "no": 1}
    return 2 + further + max(each[training.interval], 1)


def rows_to_write(plan: Plan[TextGenerationParams], data: TaskData, size: Size) -> int:
    """Return how many rows an evaluation answers.

    Args:
        plan: for GENERATE_IN_EVALUATION, the length of the training, and how often it is evaluated.
        data: of the run, before it is packed.
        size: of the model.
    """
    wanted = plan.task.params.generate_in_evaluation
    if wanted is not None:
        return wanted
    least = ASKED if is_asked(plan) else 0
    if data.stats.get("form") == "text" or data.train is None:
        return least  # a plain text has no answer, and an evaluation alone is no share of a training
    training = plan.training
    tokens, rows = _number(data.stats, "train_tokens"), max(len(data.train), 1)
    of_step = training.rows_per_step * size.trained
    steps = training.max_steps or math.ceil(rows / of_step * training.epochs)
    seen = steps * of_step if training.max_steps else rows * training.epochs
    trained = _TRAINED * tokens / rows * seen
    times = evaluations(plan, steps)
    budget = SHARE * (trained / size.trained) / times
    prompt = tokens / rows
    batch = prompt * size.together + plan.task.params.max_new_tokens * max(tokens_of_a_pass(size), 2.0 * size.together)
    return max(least, min(MOST, int(budget / batch) * size.together * size.processes))


def _number(stats: Mapping[str, Statistic], name: str) -> float:
    value = stats.get(name, 0)
    return float(value) if isinstance(value, (int, float)) else 0.0
