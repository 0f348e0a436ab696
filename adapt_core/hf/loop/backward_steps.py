"""Optimizer steps inside the backward pass, so that few gradients are held at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from adapt_core.config import backward_steps
from adapt_core.errors import InputError
from adapt_core.verification.training import TrainingCheck


class BackwardStepCallback(TrainerCallback):
    """Steps the optimizer whenever some megabytes of gradients are computed, and lets go of them.

    As in "How to save memory by fusing the optimizer step into the backward pass" (PyTorch's tutorials), but with the
    run's one optimizer: it steps the parameters that have a gradient. So its groups, its schedule, its state in
    checkpoints and its arithmetic are those of an ordinary step, and the step that the Trainer makes after the backward
    pass is for the last few.

    Args:
        training_check: sees the gradients.

    Attributes:
        norms: of the gradients of this step, by the parameter's place in the model.
    """

    def __init__(self, training_check: TrainingCheck) -> None:
        self._training_check = training_check
        self._hooks: list[RemovableHandle] = []
        self._held: list[torch.Tensor] = []
        self.norms: dict[int, torch.Tensor] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        optimizer = kwargs["optimizer"]
        held: list[torch.Tensor] = self._held

        def listen(number: int, name: str, parameter: nn.Parameter) -> RemovableHandle:
            def step(computed: torch.Tensor) -> None:
                assert computed.grad is not None
                if number in self.norms:
                    raise InputError(
                        f"STEP_IN_BACKWARD: the gradient of {name} is computed in several parts, as reentrant "
                        "checkpoints of a shared layer do. Set STEP_IN_BACKWARD: false."
                    )
                self.norms[number] = torch.linalg.vector_norm(computed.grad)
                held.append(computed)
                if sum(parameter.nbytes for parameter in held) < backward_steps.HELD_BYTES:
                    return
                self._training_check.see_gradients()
                optimizer.step()
                for parameter in held:
                    parameter.grad = None
                held.clear()

            hook: RemovableHandle = parameter.register_post_accumulate_grad_hook(step)  # type: ignore[no-untyped-call]
            return hook

        trained = [(name, one) for name, one in kwargs["model"].named_parameters() if one.requires_grad]
        self._hooks = [listen(number, *named) for number, named in enumerate(trained)]

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._held.clear()
        self.norms.clear()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def norm(self) -> torch.Tensor:
        """Return the norm of all gradients of this step."""
        norms = [self.norms[number] for number in sorted(self.norms)]
        return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())
