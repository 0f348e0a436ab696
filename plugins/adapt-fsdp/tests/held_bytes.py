"""What each process of a run holds, counted from its tensors after the second training step.

Rank R of a run in the folder `run` writes it to `run.bytes-R`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest


def held(tensors: Iterable[Any]) -> int:
    """Bytes of tensors; of sharded ones, of this process's part."""
    own = [tensor.to_local() if hasattr(tensor, "to_local") else tensor for tensor in tensors]
    return sum(tensor.numel() * tensor.element_size() for tensor in own)


def scales(module: Any) -> list[Any]:
    """Return the quantization statistics of a 4-bit layer; none for any other module."""
    state = getattr(getattr(module, "weight", None), "quant_state", None) or getattr(module, "quant_state", None)
    if state is None:
        return []
    nested = [state.offset, state.state2.absmax, state.state2.code] if state.nested else []
    return [state.absmax, *nested]


def count_bytes(patch: pytest.MonkeyPatch) -> None:
    """From here on every Trainer of this process counts."""
    from transformers import Trainer

    step = Trainer.training_step

    def training_step(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        loss = step(self, model, *args, **kwargs)
        self.steps_counted = getattr(self, "steps_counted", 0) + 1
        if self.steps_counted == 2:
            parameters = list(self.model.parameters())
            states = [value for state in self.optimizer.state.values() for value in state.values()]
            found = {
                "parameters": held(parameters),
                "gradients": held(parameter.grad for parameter in parameters if parameter.grad is not None),
                # Of bases in 4 bits: the scales of their packed weights, whole in every process.
                "statistics": held(scale for module in self.model.modules() for scale in scales(module)),
                "optimizer": held(value for value in states if hasattr(value, "element_size")),
            }
            run = Path(self.args.output_dir).parent
            run.with_name(f"{run.name}.bytes-{self.args.process_index}").write_text(json.dumps(found))
        return loss

    patch.setattr(Trainer, "training_step", training_step)


def counted(run: Path, rank: int = 0) -> dict[str, int]:
    """What a rank counted."""
    found: dict[str, int] = json.loads(run.with_name(f"{run.name}.bytes-{rank}").read_text())
    return found
