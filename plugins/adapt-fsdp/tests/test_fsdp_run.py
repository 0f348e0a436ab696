"""FSDP over gloo: on a CPU, weights are sharded, saved complete, and train as in one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.result import RunResult

from .deferred_calls import noted
from .jobs import in_two_processes, summarization, text_generation
from .reference_runs import alone, together

Run = Callable[..., RunResult]


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["phase"] == "train"]


def largest_difference(one: Path, two: Path) -> float:
    from safetensors.torch import load_file

    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (one, two))
    assert set(first) == set(second)
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.fixture
def fsdp(keys: dict[str, Any]) -> dict[str, Any]:
    """The keys of a sharded run in two processes."""
    return {**keys, "DDP": False, "FSDP": True}


def test_sharded_training_gives_one_process_s_losses_and_a_complete_model(
    fsdp: dict[str, Any], ended: Run, tmp_path: Path
) -> None:
    result, single = ended(fsdp), alone(fsdp, tmp_path / "alone")
    folder, other = tmp_path / "run", tmp_path / "alone"
    assert result.launcher == "fsdp"
    assert losses(folder) == pytest.approx(losses(other), abs=1e-4)
    assert result.metrics["after"] == pytest.approx(single.metrics["after"], abs=1e-4)
    assert result.training_check["verdict"] == "learned"
    assert result.training_check["moved_tensors"] == single.training_check["moved_tensors"]
    assert (result.total_parameters, result.trainable_parameters) == (
        single.total_parameters,
        single.trainable_parameters,
    )
    assert {path.name for path in (folder / "model").iterdir()} == {path.name for path in (other / "model").iterdir()}
    assert largest_difference(folder, other) <= 1e-4
    shares = sorted((folder / "checkpoints" / "checkpoint-8").glob("*/__*_0.distcp"))
    assert len(shares) >= 2  # each rank wrote its own
    assert adapt_core.predict(folder, ["Can I renew my books?"])


WAYS: dict[str, dict[str, Any]] = {
    "mixed precision": {"mixed_precision": "bf16", "DO_EVAL": False},
    "GRADIENT_CHECKPOINTING": {"method": "LoRA", "dropout": 0, "GRADIENT_CHECKPOINTING": True},
    "fsdp_activation_checkpointing": {"method": "LoRA", "dropout": 0, "fsdp_activation_checkpointing": True},
}


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, inbox: Path) -> dict[str, dict[str, Any]]:
    """Way -> a config under FSDP, which has been run; all of them by the same two processes."""
    folder, made = tmp_path_factory.mktemp("ways"), {}
    for way, changes in WAYS.items():
        if "method" in changes and find_spec("adapt_peft_ssf") is None:
            continue
        keys = in_two_processes(tiny_encoder, inbox, folder / way.replace(" ", "-"))
        made[way] = {**keys, "DDP": False, "FSDP": True, **changes}
    together(list(made.values()), folder)
    return made


def test_losses_in_mixed_precision_are_as_fine_as_in_one_process(ways: dict[str, dict[str, Any]]) -> None:
    import torch

    found = torch.tensor(losses(Path(ways["mixed precision"]["OUTPUT_DIR"])), dtype=torch.float64)
    assert len(found) == 8
    assert (found != found.to(torch.bfloat16).to(torch.float64)).all()


@pytest.mark.parametrize("way", [way for way, changes in WAYS.items() if "method" in changes])
def test_an_adapter_trains_with_recomputed_activations(
    ways: dict[str, dict[str, Any]], tmp_path: Path, way: str
) -> None:
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    run = Path(ways[way]["OUTPUT_DIR"])
    plain = {key: value for key, value in ways[way].items() if key not in WAYS[way]}
    single = alone({**plain, "method": "LoRA", "dropout": 0}, tmp_path / "alone")
    assert losses(run) == pytest.approx(losses(tmp_path / "alone"), abs=1e-4)
    before = json.loads((run / "result.json").read_text(encoding="utf-8"))["metrics"]["before"]
    assert before == pytest.approx(single.metrics["before"], abs=1e-4)


QUANTIZED = {"load_in_4bit": True, "bnb_4bit_quant_storage": "bfloat16", "mixed_precision": "bf16"}


@pytest.mark.gpu
@pytest.mark.parametrize(
    "changes",
    [
        {"method": "LoRA"},
        {"method": "DoRA", "bnb_4bit_use_double_quant": True},
        {"method": "SSF", "fsdp_activation_checkpointing": True},
        {"method": "LoRA", "fsdp_offload_params": True},
    ],
)
def test_a_base_in_4_bits_trains_sharded_over_nccl(
    fsdp: dict[str, Any], inbox: Path, ended: Run, tmp_path: Path, changes: dict[str, Any]
) -> None:
    import torch

    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    model = text_generation(tmp_path, inbox)
    training = {"EPOCHS": 3, "OPTIMIZER": "adamw_torch", "LR": 0.01, "MERGE_ADAPTER": True}
    devices = {"use_cpu": False, "num_processes": None}
    result = ended({**fsdp, **model, **training, **devices, **QUANTIZED, **changes})
    assert (result.launcher, result.quantization) == ("fsdp", "bnb_4bit")
    assert result.training_check["verdict"] == "learned"
    assert "no samples for the report" not in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert adapt_core.predict(tmp_path / "run", ["Can I renew my books?"])


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["full", "LoRA"])
def test_texts_are_generated_where_weights_wait_on_the_cpu(
    fsdp: dict[str, Any], inbox: Path, ended: Run, tmp_path: Path, method: str
) -> None:
    import torch

    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    devices = {"use_cpu": False, "num_processes": None, "fsdp_offload_params": True}
    result = ended({**fsdp, **summarization(tmp_path, inbox), **devices, "method": method})
    assert result.metrics["after"]["rougeL"] >= 0
    assert "no samples for the report" not in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


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
    assert result.training_check["verdict"] == "learned"
    assert "GPUs (nccl)" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert adapt_core.predict(tmp_path / "run", ["Can I renew my books?"])


LANGUAGE_MODELS: dict[str, tuple[Callable[..., dict[str, Any]], dict[str, Any]]] = {
    "Llama": (text_generation, {}),
    "Llama in bfloat16": (text_generation, {"BF16": True}),
    "T5": (summarization, {}),
}
ALL_KEPT = {"CHUNKED_LOSS": False, "LEAN_LAYERS": False}


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory, inbox: Path) -> Path:
    """The folder of sharded runs of each language model: NAME/less by default, and NAME/more with all kept."""
    folder = tmp_path_factory.mktemp("sharded")
    configs = []
    for name, (job, changes) in LANGUAGE_MODELS.items():
        home = folder / name
        home.mkdir()
        keys = {**in_two_processes(Path("unused"), inbox, home), **job(home, inbox), **changes}
        keys |= {"DDP": False, "FSDP": True, "EPOCHS": 1, "LR": 1e-3, "OPTIMIZER": "adamw_torch"}
        configs += [{**keys, "OUTPUT_DIR": str(home / "less")}, {**keys, "OUTPUT_DIR": str(home / "more"), **ALL_KEPT}]
    together(configs, folder)
    return folder


@pytest.mark.parametrize("model", LANGUAGE_MODELS)
def test_a_sharded_language_model_computes_no_logits_and_learns_the_same(sharded: Path, model: str) -> None:
    less, more = (sharded / model / side for side in ("less", "more"))
    rounding = 1e-2 if "bfloat16" in model else 1e-5
    assert losses(less) == pytest.approx(losses(more), rel=rounding)
    results = [json.loads((side / "result.json").read_text())["metrics"] for side in (less, more)]
    for moment in ("before", "after"):
        assert results[0][moment]["loss"] == pytest.approx(results[1][moment]["loss"], rel=rounding)
    for rank in range(2):
        assert noted(more, rank) == {}
        calls = noted(less, rank)
        assert calls["deferred"]
        assert "computed" not in calls
        assert (calls.get("GatedLinear", 0) > 1) is (model == "Llama")  # once to see that it computes the same
