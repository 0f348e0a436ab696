"""A problem kept where a model keeps its labels, so that predictions and exports know it from the model alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapt_core.hf.decisions.names import KEPT, kept_decisions
from adapt_core.hf.problems.kinds import IN_TRANSFORMERS
from adapt_core.hf.problems.problem import Problem

_KINDS = {name: kind for kind, name in IN_TRANSFORMERS.items()}


def write_problem(config: Any, problem: Problem) -> None:
    """Write a problem into the config of a transformers model: `problem_type`, and what it decides by."""
    config.problem_type = problem.in_transformers
    for name in KEPT:
        vars(config).pop(name, None)  # of the problem that the base was trained for
    for name, value in problem.decisions.items():
        setattr(config, name, value)


def read_problem(config: Any, kinds: Mapping[str, type[Problem]]) -> Problem:
    """Return the problem that the config of a transformers model was written for.

    Args:
        config: a model's.
        kinds: kind -> class; a model without `problem_type` is of the first.
    """
    names = tuple(name for _, name in sorted(config.id2label.items()))
    kind = _KINDS.get(str(config.problem_type), next(iter(kinds)))
    return kinds[kind](names=names, decisions=kept_decisions(vars(config)))
