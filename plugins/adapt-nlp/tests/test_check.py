"""adapt check on language tasks: what it tells against what the run then does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core import api
from adapt_core.estimate.estimate import Estimate

Keys = dict[str, Any]


@pytest.fixture
def estimate(keys: Keys) -> Callable[..., Estimate]:
    """The outlook of the small config with changes."""

    def estimate_with(**changes: Any) -> Estimate:
        return api.estimate(api.check({**keys, **changes}))

    return estimate_with


@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_steps_and_parameters_are_those_of_the_run(keys: Keys, estimate: Callable[..., Estimate], method: str) -> None:
    changes = {"method": method, "BATCH_SIZE": 10, "GRADIENT_ACCUMULATION_STEPS": 2, "EPOCHS": 1.5}
    found = estimate(**changes)
    result = adapt_core.run({**keys, **changes})
    assert found.steps_per_epoch == 4
    assert found.steps == result.steps == 6
    assert found.total_parameters == result.total_parameters
    assert found.trainable_parameters == result.trainable_parameters
    assert found.data == result.data


def test_the_format_of_each_split_is_told_with_the_reason(
    keys: Keys, estimate: Callable[..., Estimate], forked_adapt: Callable[..., Any], tmp_path: Path
) -> None:
    found = estimate().formats
    assert set(found) == {"train", "validation"}
    assert found["train"]["format"] == "json"
    assert found["train"]["distribution"].startswith("adapt-core ")
    assert found["train"]["reason"] == "train.jsonl: the suffix is .jsonl"
    assert estimate(DATA_FORMAT="jsonl").formats["train"]["reason"] == "DATA_FORMAT names it"
    (tmp_path / "c.json").write_text(json.dumps(keys), encoding="utf-8")
    told = forked_adapt("check", "c.json").stdout
    assert "train.jsonl: the suffix is .jsonl" in " ".join(told.split())
    assert told.count("as the model sees it") == 3


def test_max_steps_and_no_training(estimate: Callable[..., Estimate]) -> None:
    assert estimate(MAX_STEPS=3).steps == 3
    idle = estimate(DO_TRAIN=False)
    assert (idle.steps, idle.examples, idle.classes) == (0, [], {})
    assert idle.memory is not None
    assert (idle.memory.gradients, idle.memory.optimizer) == (0, 0)


def test_weights_gradients_and_states_are_the_tensors_of_a_real_run(
    keys: Keys, estimate: Callable[..., Estimate], tmp_path: Path
) -> None:
    found = estimate()
    assert found.memory is not None
    adapt_core.run({**keys, "INTERVAL": "epoch"})
    import torch
    from safetensors.torch import load_file

    checkpoint = next((tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
    weights = sum(tensor.nbytes for tensor in load_file(checkpoint / "model.safetensors").values())
    state = torch.load(checkpoint / "optimizer.pt", weights_only=True)["state"]
    states = sum(tensor.nbytes for held in state.values() for tensor in held.values())
    assert found.memory.gradients == weights
    assert found.memory.weights == pytest.approx(weights, rel=0.03)  # a small model's position ids weigh something
    assert found.memory.optimizer == pytest.approx(states, rel=0.01)


def test_activations_are_traced_and_grow_with_the_batch(estimate: Callable[..., Estimate]) -> None:
    small, large = estimate(BATCH_SIZE=4).memory, estimate(BATCH_SIZE=16).memory
    assert small is not None
    assert large is not None
    assert small.activations
    assert large.activations
    assert 3 < large.activations / small.activations <= 4.5


def real_model_and_batch(keys: Keys) -> tuple[Any, Any]:
    """The model that a run trains, in training mode, and its largest batch."""
    from adapt_core.distributed.world import World
    from adapt_core.execution.components import Components

    plan = api.check(keys)
    parts = Components.of(plan)
    data = parts.task.load_data()
    model, _ = parts.attach(plan, parts.task.load_model(data, None, World()))
    return model.train(), parts.task.largest_batch(data)  # type: ignore[attr-defined]


def kept_by(compute: Callable[[], Any], model: Any) -> int:
    """Bytes that autograd keeps of a computation, the model's own tensors left out."""
    import torch

    own = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage()._cdata not in own:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        compute()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_activations_are_near_what_a_real_forward_pass_keeps(
    keys: Keys, estimate: Callable[..., Estimate], method: str
) -> None:
    found = estimate(method=method).memory
    model, batch = real_model_and_batch({**keys, "method": method})
    assert found is not None
    assert found.activations == pytest.approx(kept_by(lambda: model(**batch), model), rel=0.3)


def test_recomputed_activations_are_the_inputs_of_the_layers_and_one_layers_own(
    keys: Keys, estimate: Callable[..., Estimate]
) -> None:
    import torch

    whole, found = estimate().memory, estimate(GRADIENT_CHECKPOINTING=True).memory
    model, batch = real_model_and_batch(keys)
    model.activation_checkpointing_enable()
    inputs = kept_by(lambda: model(**batch), model)
    states = torch.randn(*batch["input_ids"].shape, model.config.hidden_size, requires_grad=True)
    layer = model.base_model.encoder.layer[0]
    layer.gradient_checkpointing = False
    one_layer = kept_by(lambda: layer(states), model)
    assert whole is not None
    assert found is not None
    assert whole.activations
    assert found.activations == pytest.approx(inputs + one_layer, rel=0.3)
    assert found.activations < whole.activations


def test_examples_and_classes_are_shown_as_the_model_sees_them(estimate: Callable[..., Estimate]) -> None:
    found = estimate()
    assert sum(found.classes.values()) == 64
    first = found.examples[0]
    assert first[0] == ("[CLS]", "")
    assert first[-2][0] == "[SEP]"
    assert first[-1][1] in found.classes


def test_tags_stand_beside_their_tokens(estimate: Callable[..., Estimate], tmp_path: Path) -> None:
    rows = [{"tokens": ["call", "unlikelyname", "today"], "ner_tags": ["O", "B-PER", "O"]}] * 8
    folder = tmp_path / "words"
    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = estimate(subtask="ner", CUSTOM_DATASET_PATH=str(folder))
    assert found.classes == {"B-PER": 8, "O": 16}
    assert [label for _, label in found.examples[0] if label] == ["O", "B-PER", "O"]


def test_disk_counts_the_checkpoints_that_are_kept(estimate: Callable[..., Estimate]) -> None:
    one, many = estimate(EPOCHS=1).disk_bytes, estimate(EPOCHS=9, NO_OF_CHECKPOINTS=3).disk_bytes
    none = estimate(INTERVAL="no").disk_bytes
    assert one is not None
    assert many is not None
    assert none is not None
    assert many - none == 4 * (one - none)


def test_too_little_memory_or_disk_is_a_warning(
    estimate: Callable[..., Estimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any(warning.startswith(("memory", "disk")) for warning in estimate().warnings)
    monkeypatch.setattr("adapt_core.estimate.estimate._device_bytes", lambda _device: 1000)
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    warnings = estimate().warnings
    assert any("memory: about" in warning and "has 1000 B" in warning for warning in warnings)
    assert any("disk: " in warning and "lower NO_OF_CHECKPOINTS" in warning for warning in warnings)


def test_the_command_tells_it_all_and_as_json(forked_adapt: Callable[..., Any], keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps(keys), encoding="utf-8")
    told = forked_adapt("check", "c.yaml")
    assert told.returncode == 0, told.stderr
    for text in ("as the model sees it, 1: [CLS]", "of them train", "an estimate", "disk: up to", "ok: the config can"):
        assert text in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80
    report = json.loads(forked_adapt("check", "c.yaml", "--json").stdout)
    assert report["ok"] is True
    assert report["estimate"]["steps"] == 4
    assert report["estimate"]["memory"]["activations_are_an_estimate"] is True
    assert report["estimate"]["process_bytes"] > 100 * 2**20  # Python, torch and transformers, at the least
    assert not (tmp_path / "run").exists()
