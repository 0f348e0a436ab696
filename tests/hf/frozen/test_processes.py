"""Several processes agree: where one of them cannot keep the frozen part, all compute it at every step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import datasets
import torch
from torch import distributed, multiprocessing

from adapt_core.distributed.world import World
from adapt_core.hf.frozen.part import FrozenPart
from adapt_core.hf.frozen.trial import Runner

from .test_replay import FAMILIES, LENGTHS, Texts, made

ROWS = list(range(len(LENGTHS)))
CASES = {"whole": None, "in the trial": 0, "in the split": 9}
"""Where the second process fails: at which batch. The trial takes nine."""


class NumberedTexts(Texts):
    def numbered(self) -> Any:
        return ROWS


class Fails:
    """Makes inputs of batches, and fails at one of them."""

    def __init__(self, at: int | None) -> None:
        self.left = at

    def __call__(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise ValueError("no inputs")
        return batch


def prepared(rank: int, folder: Path) -> None:
    """Prepare a split in one of two processes, for each case, and write in which it is held."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    held = {}
    for case, at in CASES.items():
        datasets.config.HF_DATASETS_CACHE = folder / case
        part = FrozenPart(
            runner=Runner(made(FAMILIES["bert"]), Fails(at if rank else None), nullcontext),
            source=lambda _split, _passes: NumberedTexts(),
            world=World(rank=rank, local_rank=rank, size=2),
            batch_size=2,
            most=10**9,
        )
        part.prepare(ROWS, 3.0)
        held[case] = part.holds(ROWS)
    (folder / f"held-{rank}.json").write_text(json.dumps(held))
    distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_keep_the_frozen_part_together_or_not_at_all(tmp_path: Path) -> None:
    multiprocessing.spawn(prepared, (tmp_path,), nprocs=2)
    for rank in range(2):
        held = json.loads((tmp_path / f"held-{rank}.json").read_text())
        assert held == {"whole": True, "in the trial": False, "in the split": False}
    for case, count in {"whole": 1, "in the split": 0}.items():
        assert len(list((tmp_path / case / "adapt" / "frozen").iterdir())) == count
    assert not (tmp_path / "in the trial").exists()
