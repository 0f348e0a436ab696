"""Copies of state: equal, apart, and in the memory of the copy before."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import torch
from torch import nn

from adapt_core.nn.staging import Staging, tensor_bytes, write_state


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(8, 4)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 8)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_a_copy_stays_as_it_was_while_training_goes_on() -> None:
    model, optimizer = trained()
    staging = Staging()
    weights, states = staging.copy("model", model.state_dict()), staging.copy("optimizer", optimizer.state_dict())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    moment = optimizer.state_dict()["state"][0]["exp_avg"].clone()
    optimizer.step()
    assert all(torch.equal(weights[name], before[name]) for name in before)
    assert not torch.equal(weights["weight"], model.weight)
    assert torch.equal(states["state"][0]["exp_avg"], moment)
    assert states["param_groups"] == optimizer.state_dict()["param_groups"]


def test_the_next_copy_takes_the_memory_of_the_one_before() -> None:
    model, _ = trained()
    staging = Staging()
    first = staging.copy("model", model.state_dict())["weight"].data_ptr()
    with torch.no_grad():
        model.weight.add_(1)
    second = staging.copy("model", model.state_dict())["weight"]
    assert second.data_ptr() == first
    assert torch.equal(second, model.weight)


def test_tied_weights_are_tied_in_the_copy() -> None:
    weight = torch.ones(3, 3)
    copied = Staging().copy("model", {"embedding": weight, "head": weight})
    assert copied["embedding"].data_ptr() == copied["head"].data_ptr() != weight.data_ptr()


def test_bytes_of_tensors_in_nested_state_are_counted() -> None:
    assert tensor_bytes([{"a": torch.ones(3), "b": [torch.ones(2, dtype=torch.float64), 5, None]}]) == 12 + 16


def test_a_state_is_written_without_checksums_and_read_as_any_other(tmp_path: Path) -> None:
    state = {"weight": torch.arange(6.0), "step": 3}
    write_state(state, tmp_path / "fast.pt")
    torch.save(state, tmp_path / "plain.pt")
    read = torch.load(tmp_path / "fast.pt", weights_only=True)
    assert read["step"] == 3
    assert torch.equal(read["weight"], state["weight"])
    summed = {name: ZipFile(tmp_path / name).testzip() is None for name in ("fast.pt", "plain.pt")}
    assert summed == {"fast.pt": False, "plain.pt": True}
