"""`adapt check`: the memory of each rank under each launcher, compared with the tensors of a real run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core import api
from adapt_core.estimate.ranks import RankRange

from . import jobs

ADAM = {"OPTIMIZER": "adamw_torch", "LR": 1e-3}


def estimated(keys: dict[str, Any]) -> dict[str, list[RankRange]]:
    """Launcher -> its shares, in the order of their ranks."""
    found = api.estimate(api.check(keys))
    return {name: [share for share in found.launchers if share.launcher == name] for name in ("local", "ddp", "fsdp")}


def test_ranks_of_ddp_hold_all_and_buckets_and_those_of_fsdp_their_rows(keys: dict[str, Any]) -> None:
    shares = estimated({**keys, **ADAM, "num_processes": 4})
    [alone], [copies] = shares["local"], shares["ddp"]
    assert (alone.first_rank, alone.last_rank) == (0, 0)
    assert (copies.first_rank, copies.last_rank) == (0, 3)
    assert copies.memory.exchanged == alone.memory.gradients > 0
    assert copies.memory.weights == alone.memory.weights
    ranks = [rank for share in shares["fsdp"] for rank in range(share.first_rank, share.last_rank + 1)]
    assert ranks == [0, 1, 2, 3]
    for share in shares["fsdp"]:
        for part in ("weights", "gradients", "optimizer"):
            assert getattr(share.memory, part) < 0.3 * getattr(alone.memory, part)
    held = sum(share.memory.gradients * (share.last_rank - share.first_rank + 1) for share in shares["fsdp"])
    assert held == alone.memory.gradients


def test_the_plan_s_own_launcher_is_the_one_whose_memory_is_estimated(keys: dict[str, Any]) -> None:
    whole, sharded = (api.estimate(api.check({**keys, **switch})) for switch in ({}, {"DDP": False, "FSDP": True}))
    assert whole.processes == sharded.processes == 2
    assert whole.memory is not None
    assert sharded.memory is not None
    assert sharded.memory.weights < 0.6 * whole.memory.weights
    assert sharded.steps == whole.steps


def test_sharded_language_models_keep_as_little_as_copies(keys: dict[str, Any], inbox: Path, tmp_path: Path) -> None:
    """CHUNKED_LOSS and LEAN_LAYERS work under FSDP, too."""
    plan = {**keys, **jobs.text_generation(tmp_path, inbox)}
    less, more = (estimated({**plan, **changes}) for changes in ({}, {"CHUNKED_LOSS": False, "LEAN_LAYERS": False}))
    for launcher in ("ddp", "fsdp"):
        assert less[launcher][0].memory.activations < more[launcher][0].memory.activations
    assert less["ddp"][0].memory.activations == less["fsdp"][0].memory.activations


def test_packed_weights_are_sharded_and_their_scales_are_not(keys: dict[str, Any]) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    adapter = {**keys, "method": "LoRA"}
    plain, packed = estimated(adapter), estimated({**adapter, "load_in_4bit": True})
    saved = [shares["local"][0].memory.weights - shares["fsdp"][0].memory.weights for shares in (plain, packed)]
    assert 0 < saved[1] < saved[0]
    [alone], [half] = packed["local"], packed["fsdp"]
    assert half.memory.gradients == pytest.approx(alone.memory.gradients / 2, rel=0.02)
    assert half.memory.exchanged < plain["fsdp"][0].memory.exchanged
    assert not estimated({**adapter, "load_in_8bit": True})["fsdp"]


@pytest.mark.parametrize(
    ("changes", "gathers"),
    [
        ({"fsdp_auto_wrap_policy": "NO_WRAP"}, "all"),
        ({"fsdp_auto_wrap_policy": "SIZE_BASED_WRAP", "fsdp_min_num_params": 3000}, "some"),
        ({"fsdp_transformer_layer_cls_to_wrap": ["BertLayer"]}, "some"),
    ],
)
def test_what_is_gathered_follows_the_wrap_policy(keys: dict[str, Any], changes: dict[str, Any], gathers: str) -> None:
    shares = estimated({**keys, "DDP": False, "FSDP": True, **changes})
    parameters = shares["local"][0].memory.gradients  # full fine-tuning: as many bytes
    exchanged = shares["fsdp"][0].memory.exchanged
    assert exchanged == parameters if gathers == "all" else 0 < exchanged < parameters


def test_the_table_names_launchers_and_ranks(
    forked_adapt: Callable[..., subprocess.CompletedProcess[str]], keys: dict[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    done = forked_adapt("check", str(config))
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    table = {(row[0], row[1]) for row in rows if len(row) > 2}
    assert {("launcher", "rank"), ("local", "0"), ("ddp", "0-1")} <= table
    assert any(row[:1] == ["fsdp"] for row in rows)
