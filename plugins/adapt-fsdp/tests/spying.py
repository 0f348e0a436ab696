"""What each process of a run holds, counted from its tensors: written to BYTES_FOLDER by rank, after a second step.

`folder_of_bytes` gives the environment in which processes of a run count.
"""

from __future__ import annotations

import json
from pathlib import Path

COUNT = """
import json, os
if "RANK" in os.environ and "BYTES_FOLDER" in os.environ:
    import transformers.trainer as trainer

    whole, calls = trainer.Trainer.training_step, []

    def held(tensors):
        own = [tensor.to_local() if hasattr(tensor, "to_local") else tensor for tensor in tensors]
        return sum(tensor.numel() * tensor.element_size() for tensor in own)

    def training_step(self, model, *args, **kwargs):
        loss = whole(self, model, *args, **kwargs)
        calls.append(loss)
        if len(calls) == 2:
            parameters = list(self.model.parameters())
            states = [value for state in self.optimizer.state.values() for value in state.values()]
            counted = {
                "parameters": held(parameters),
                "gradients": held(p.grad for p in parameters if p.grad is not None),
                "optimizer": held(value for value in states if hasattr(value, "element_size")),
            }
            with open(os.path.join(os.environ["BYTES_FOLDER"], os.environ["RANK"]), "w") as file:
                json.dump(counted, file)
        return loss

    trainer.Trainer.training_step = training_step
"""


def counting(folder: Path) -> dict[str, str]:
    """The environment in which a run's processes count into a new folder."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(COUNT, encoding="utf-8")
    return {"PYTHONPATH": str(folder), "BYTES_FOLDER": str(folder)}


def counted(folder: Path, ranks: int = 2) -> list[dict[str, int]]:
    """What each rank counted."""
    return [json.loads((folder / str(rank)).read_text()) for rank in range(ranks)]
