"""FSDP over gloo, which shows on a CPU that weights are shared out, saved whole, and train as in one process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.result import RunResult

from . import jobs
from .one_process import alone
from .spying import counted, counting

Run = Callable[..., RunResult]
MODELS = {"BERT": jobs.text_classification, "Llama": jobs.text_generation}


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def files(folder: Path) -> set[str]:
    """What a finished run leaves, but for its checkpoints, whose form is the launcher's."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] != "checkpoints"}


def largest_difference(one: Path, two: Path) -> float:
    from safetensors.torch import load_file

    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (one, two))
    assert set(first) == set(second)
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.fixture
def fsdp(keys: dict[str, Any]) -> dict[str, Any]:
    """The keys of a sharded run in two processes."""
    return {**keys, "DDP": False, "FSDP": True}


def test_sharded_training_gives_one_process_s_losses_and_a_whole_model(
    fsdp: dict[str, Any], ended: Run, tmp_path: Path
) -> None:
    result, single = ended(fsdp), alone(fsdp, tmp_path / "alone")
    folder, other = tmp_path / "run", tmp_path / "alone"
    assert result.launcher == "fsdp"
    assert losses(folder) == pytest.approx(losses(other), abs=1e-4)
    assert result.metrics["after"] == pytest.approx(single.metrics["after"], abs=1e-4)
    assert result.learning["verdict"] == "learned"
    assert result.learning["moved_tensors"] == single.learning["moved_tensors"]
    assert (result.total_parameters, result.trainable_parameters) == (
        single.total_parameters,
        single.trainable_parameters,
    )
    assert files(folder) == files(other)
    assert largest_difference(folder, other) <= 1e-4
    shares = sorted((folder / "checkpoints" / "checkpoint-8").glob("*/__*_0.distcp"))
    assert len(shares) >= 2  # each rank wrote its own
    assert adapt_core.predict(folder, ["Can I renew my books?"])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "LoRA", "SSF"])
@pytest.mark.parametrize("model", MODELS)
def test_each_process_holds_its_share_and_the_losses_are_those_of_one(
    fsdp: dict[str, Any], ended: Run, inbox: Path, tmp_path: Path, model: str, method: str
) -> None:
    """Parameters, gradients and states of AdamW, counted from the tensors of each rank under fsdp and under ddp."""
    if method != "full":
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    fsdp = {**fsdp, **MODELS[model](tmp_path, inbox), "method": method, "OPTIMIZER": "adamw_torch", "LR": 1e-3}
    ended(fsdp, env=counting(tmp_path / "shares"))
    copies = {**fsdp, "FSDP": False, "DDP": True, "OUTPUT_DIR": str(tmp_path / "ddp")}
    ended(copies, env=counting(tmp_path / "copies"))
    alone(fsdp, tmp_path / "alone")
    folder, other = tmp_path / "run", tmp_path / "alone"
    for share, copy in zip(counted(tmp_path / "shares"), counted(tmp_path / "copies"), strict=True):
        assert set(share) == {"parameters", "gradients", "optimizer"}
        assert {name: share[name] <= 0.6 * copy[name] for name in copy} == dict.fromkeys(copy, True), (share, copy)
    assert len(losses(folder)) == 8
    assert losses(folder) == pytest.approx(losses(other), abs=1e-4)
    assert files(folder) == files(other)
    code = (folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert "adapt_" not in code
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(sum(p.numel() for p in model.parameters()))"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"method": "DoRA"},
        {"fsdp_sharding_strategy": "SHARD_GRAD_OP", "fsdp_activation_checkpointing": True},
        {"fsdp_auto_wrap_policy": "SIZE_BASED_WRAP", "fsdp_min_num_params": 3000, "debug": True},
        {"fsdp_auto_wrap_policy": "NO_WRAP", "mixed_precision": "no"},
    ],
)
def test_other_ways_to_share_train_alike(
    fsdp: dict[str, Any], ended: Run, tmp_path: Path, changes: dict[str, Any]
) -> None:
    if "method" in changes:
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    ended({**fsdp, **changes})
    alone(fsdp, tmp_path / "alone", method=changes.get("method", "full"))
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "alone"), abs=1e-4)
    assert largest_difference(tmp_path / "run", tmp_path / "alone") <= 1e-4


@pytest.mark.slow
def test_sharded_checkpoints_resume_in_any_number_of_processes(
    fsdp: dict[str, Any], ended: Run, tmp_path: Path
) -> None:
    """From the checkpoint of step 4 on; in as many processes as before, the end is that of a run that was not cut."""
    fsdp = {**fsdp, "OPTIMIZER": "adamw_torch", "LR": 1e-3}
    ended(fsdp)
    whole = tmp_path / "run"
    for processes, steps in ((1, 16), (2, 8), (3, 6)):
        cut = tmp_path / f"cut-{processes}"
        shutil.copytree(whole / "checkpoints" / "checkpoint-4", cut / "checkpoints" / "checkpoint-4")
        for name in ("config.yaml", "metrics.jsonl"):
            shutil.copy(whole / name, cut)
        result = ended({**fsdp, "OUTPUT_DIR": str(cut), "num_processes": processes}, "--resume")
        assert "checkpoint-4 (step 4)" in (cut / "log.txt").read_text(encoding="utf-8")
        assert result.steps == steps
        assert files(cut) == files(whole)
        if processes == 2:
            assert losses(cut) == pytest.approx(losses(whole), abs=1e-6)
            assert largest_difference(cut, whole) <= 1e-6


@pytest.mark.gpu
@pytest.mark.parametrize(
    "changes",
    [
        {"mixed_precision": "bf16"},
        {"fsdp_offload_params": True},
        {"fsdp_state_dict_type": "FULL_STATE_DICT"},
        {"fsdp_cpu_ram_efficient_loading": False, "fsdp_activation_checkpointing": True},
    ],
)
def test_fsdp_over_nccl(fsdp: dict[str, Any], ended: Run, tmp_path: Path, changes: dict[str, Any]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    result = ended({**fsdp, "use_cpu": False, "num_processes": None, "LR": 0.01, **changes})
    assert result.learning["verdict"] == "learned"
    assert "GPUs (nccl)" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert adapt_core.predict(tmp_path / "run", ["Can I renew my books?"])
