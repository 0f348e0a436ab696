"""Whether the optimizer steps inside the backward pass: STEP_IN_BACKWARD, and what it cannot be combined with."""

from __future__ import annotations

from adapt_core.config.core_params.training import TrainingParams
from adapt_core.plugin.import_strings import is_import_string

HELD_BYTES = 16 * 2**20
"""Bytes of gradients that are stepped together: calling the optimizer for each bias would double the time of a step."""

LOOP = "hf"
LAUNCHER = "local"


def obstacles(training: TrainingParams, launcher: str, loop: str) -> list[tuple[str, str]]:
    """Return why the optimizer cannot step for one parameter at a time; empty where it can.

    Args:
        training: MAX_GRAD_NORM, GRADIENT_ACCUMULATION_STEPS, FP16, OPTIMIZER.
        launcher, loop: their names.

    Returns:
        (reason, what to do), as the parts of a `Problem`.
    """
    found = []
    if training.max_grad_norm:
        message = "cannot clip: the norm of the gradients is known when all of them are computed."
        found.append((message, "Set MAX_GRAD_NORM: 0, or remove STEP_IN_BACKWARD."))
    if training.gradient_accumulation_steps > 1:
        message = "cannot accumulate gradients: each is gone after its batch."
        found.append((message, "Set GRADIENT_ACCUMULATION_STEPS: 1, or remove STEP_IN_BACKWARD."))
    if training.fp16:
        message = "contradicts FP16: whether a step is skipped is known when all gradients are computed."
        found.append((message, "Turn FP16 off (BF16 goes), or remove STEP_IN_BACKWARD."))
    if is_import_string(training.optimizer):
        message = f"steps some parameters at a time, and {training.optimizer} may step by all of them."
        found.append((message, "Remove STEP_IN_BACKWARD, or choose an OPTIMIZER of adapt's list."))
    if launcher != LAUNCHER:
        message = f"is for one process: {launcher} exchanges gradients before a step."
        found.append((message, "Remove STEP_IN_BACKWARD, or train in one process."))
    if loop != LOOP:
        found.append(("is for tasks that train with transformers' Trainer.", "Remove STEP_IN_BACKWARD."))
    return found


def steps_in_backward(training: TrainingParams, launcher: str, loop: str) -> bool:
    """Return whether the optimizer steps for parameters as soon as their gradients are computed.

    It does unless STEP_IN_BACKWARD is false, wherever the steps are the same.

    Args:
        training: of the plan.
        launcher, loop: their names.
    """
    return training.step_in_backward is not False and not obstacles(training, launcher, loop)
