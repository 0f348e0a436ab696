"""A digest of the weights that a process of a run ends with.

Rank R of a run in the folder `run` writes it to `run.weights-R`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest


def write_digests(patch: pytest.MonkeyPatch, run: Path, rank: int) -> None:
    """From here on this process writes the digest of the model that a run without sharding gathers at its end."""
    import torch

    from adapt_core.distributed.replicated import Replicated

    gather = Replicated.gather_model

    def gather_model(self: Any, model: Any) -> Any:
        digest = hashlib.sha256()
        for name, tensor in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        run.with_name(f"{run.name}.weights-{rank}").write_text(digest.hexdigest())
        return gather(self, model)

    patch.setattr(Replicated, "gather_model", gather_model)


def digests(run: Path, processes: int = 2) -> list[str]:
    """What each rank wrote."""
    return [run.with_name(f"{run.name}.weights-{rank}").read_text() for rank in range(processes)]
