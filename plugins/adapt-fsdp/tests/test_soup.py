"""KEEP: soup in two processes: the checkpoints of one model, and the average that one process makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import adapt_core
from adapt_core.errors import ConfigError

from . import jobs

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
from safetensors.torch import load_file

SOUP = {"KEEP": "soup", "INTERVAL": "steps", "INTERVAL_STEPS": 2, "NO_OF_CHECKPOINTS": 3, "METRIC_FOR_BEST": "loss"}


def test_two_processes_average_what_one_averages(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {**jobs.in_two_processes(tiny_encoder, inbox, tmp_path), **SOUP}
    together = adapt_core.run(keys)
    no_launcher = dict.fromkeys(("num_processes", "use_cpu", "collective_timeout"))
    of_one = {"DDP": False, "BATCH_SIZE": 16, "OUTPUT_DIR": str(tmp_path / "one"), **no_launcher}
    one = adapt_core.run({**keys, **of_one})
    assert together.soup is not None
    assert one.soup is not None
    assert together.soup["steps"] == one.soup["steps"]
    assert together.soup["value"] == pytest.approx(one.soup["value"], abs=1e-4)
    ours, theirs = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("run", "one"))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in theirs)


def test_sharded_weights_are_refused_before_training(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = {**jobs.in_two_processes(tiny_encoder, inbox, tmp_path), **SOUP, "DDP": False, "FSDP": True}
    with pytest.raises(ConfigError, match="soup averages whole weights, and fsdp shards them"):
        adapt_core.check(keys)
