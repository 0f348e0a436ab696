"""Sharded runs of several models and methods against one process and against DDP: losses, bytes, files, resume."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapt_core.run_folder.ownership import MARKER
from adapt_core.testing.cards import python_of

from . import jobs
from .held_bytes import counted
from .reference_runs import alone, together

MODELS = {"BERT": jobs.text_classification, "Llama": jobs.text_generation, "T5": jobs.summarization}
SAME = {"EPOCHS": 2, "OPTIMIZER": "adamw_torch", "LR": 1e-3}
FOUR_BITS = {"load_in_4bit": True, "bnb_4bit_quant_storage": "float32", "MERGE_ADAPTER": True}
WAYS: dict[str, dict[str, Any]] = {
    "BERT full": {"method": "full"},
    "BERT LoRA": {"method": "LoRA", "dropout": 0},
    "BERT SSF": {"method": "SSF"},
    "Llama full": {"method": "full"},
    "Llama LoRA": {"method": "LoRA", "dropout": 0},
    "Llama SSF": {"method": "SSF"},
    "BERT DoRA": {"method": "DoRA", "dropout": 0},
    "BERT LoRA, 4 bit": {"method": "LoRA", "dropout": 0, **FOUR_BITS},
    "BERT SSF, 4 bit": {"method": "SSF", **FOUR_BITS},
    "Llama DoRA, 4 bit": {"method": "DoRA", "dropout": 0, **FOUR_BITS, "bnb_4bit_use_double_quant": True},
    "T5 full": {"method": "full"},
    "T5 LoRA": {"method": "LoRA", "dropout": 0},
    "T5 SSF, 4 bit": {"method": "SSF", **FOUR_BITS},
    "BERT weights kept, activations not": {
        "fsdp_sharding_strategy": "SHARD_GRAD_OP",
        "fsdp_activation_checkpointing": True,
    },
    "BERT in one piece": {"fsdp_auto_wrap_policy": "NO_WRAP", "mixed_precision": "no"},
}
COUNTED = [way for way, changes in WAYS.items() if "method" in changes]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def files(run: Path) -> set[str]:
    """What a finished run leaves, but for its checkpoints, whose form is the launcher's."""
    paths = (path.relative_to(run) for path in run.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] != "checkpoints"}


def largest_difference(one: Path, two: Path) -> float:
    from safetensors.torch import load_file

    first, second = (load_file(run / "model" / "model.safetensors") for run in (one, two))
    assert set(first) == set(second)
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, inbox: Path) -> dict[str, dict[str, Any]]:
    """Way -> a config under FSDP, which has been run in two processes, and next to it, in `ddp`, under DDP."""
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    folder = tmp_path_factory.mktemp("fsdp")
    made = {}
    for way, changes in WAYS.items():
        home = folder / way.replace(", ", "-").replace(" ", "-")
        home.mkdir()
        plain = {**jobs.in_two_processes(tiny_encoder, inbox, home), **MODELS[way.split()[0]](home, inbox), **SAME}
        made[way] = {**plain, "DDP": False, "FSDP": True, **changes}
    copies = [
        {**made[way], "FSDP": False, "DDP": True, "OUTPUT_DIR": str(Path(made[way]["OUTPUT_DIR"]).with_name("ddp"))}
        for way in WAYS
        if way in COUNTED
    ]
    together([*made.values(), *copies], folder)
    return made


@pytest.mark.parametrize("way", WAYS)
def test_losses_weights_and_files_are_those_of_one_process(configs: dict[str, dict[str, Any]], way: str) -> None:
    config = configs[way]
    run = Path(config["OUTPUT_DIR"])
    other = run.with_name("alone")
    plain = {key: value for key, value in config.items() if not key.startswith("fsdp_") and key != "mixed_precision"}
    alone(plain, other)
    assert len(losses(run)) == 8
    difference = max(abs(one - two) for one, two in zip(losses(run), losses(other), strict=True))
    print(way, "losses", difference)
    assert difference <= 1e-4
    assert files(run) == files(other)
    assert largest_difference(run, other) <= 1e-4
    learning, theirs = (json.loads((where / "result.json").read_text())["training_check"] for where in (run, other))
    assert learning["still_tensors"] == theirs["still_tensors"]


@pytest.mark.parametrize("way", COUNTED)
def test_each_process_holds_its_share_of_what_one_holds_under_ddp(configs: dict[str, dict[str, Any]], way: str) -> None:
    run = Path(configs[way]["OUTPUT_DIR"])
    for rank in range(2):
        share, copy = counted(run, rank), counted(run.with_name("ddp"), rank)
        print(way, rank, {name: round(share[name] / copy[name], 3) for name in copy if copy[name]})
        shared = {"parameters", "gradients", "optimizer"}
        assert set(share) == {*shared, "statistics"}
        assert all(share[name] <= 0.6 * copy[name] for name in shared), (share, copy)


@pytest.mark.parametrize("way", ["BERT full", "BERT LoRA", "BERT SSF, 4 bit", "Llama DoRA, 4 bit"])
def test_the_bytes_are_those_that_adapt_check_estimates(configs: dict[str, dict[str, Any]], way: str) -> None:
    from adapt_core import api

    found = api.estimate(api.check(configs[way]))
    told = [share for share in found.launchers if share.launcher == "fsdp"]
    by_rank = [share.memory for share in told for _ in range(share.first_rank, share.last_rank + 1)]
    for rank, memory in enumerate(by_rank):
        real = counted(Path(configs[way]["OUTPUT_DIR"]), rank)
        assert memory.gradients == real["gradients"]
        held = real["parameters"] + real["statistics"]
        assert memory.weights == pytest.approx(held, rel=0.03)  # buffers: a small model's position ids
        assert memory.optimizer == pytest.approx(real["optimizer"], rel=0.01)


@pytest.mark.parametrize("way", ["BERT full", "Llama LoRA"])
def test_the_saved_model_loads_without_adapt(configs: dict[str, dict[str, Any]], way: str) -> None:
    run = Path(configs[way]["OUTPUT_DIR"])
    code = python_of(run / "README.md")
    assert "adapt_" not in code
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(sum(p.numel() for p in model.parameters()))"],
        cwd=run,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 0


@pytest.mark.parametrize(
    ("way", "processes", "steps"),
    [("BERT full", 1, 16), ("BERT full", 2, 8), ("BERT full", 3, 6), ("BERT LoRA, 4 bit", 2, 8)],
)
def test_sharded_checkpoints_resume_in_any_number_of_processes(
    configs: dict[str, dict[str, Any]], tmp_path: Path, way: str, processes: int, steps: int
) -> None:
    """From the checkpoint of step 4 on; in as many processes as before, the end is that of a run that was not cut."""
    config = configs[way]
    whole = Path(config["OUTPUT_DIR"])
    cut = tmp_path / "cut"
    shutil.copytree(whole / "checkpoints" / "checkpoint-4", cut / "checkpoints" / "checkpoint-4")
    for name in (MARKER, "config.yaml", "metrics.jsonl"):
        shutil.copy(whole / name, cut)
    together([{**config, "OUTPUT_DIR": str(cut)}], tmp_path, processes)
    assert "checkpoint-4 (step 4)" in (cut / "log.txt").read_text(encoding="utf-8")
    assert json.loads((cut / "result.json").read_text())["steps"] == steps
    assert files(cut) == files(whole)
    if processes == 2:
        assert losses(cut) == pytest.approx(losses(whole), abs=1e-6)
        assert largest_difference(cut, whole) <= 1e-6
