"""The built-in methods on plain modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError
from adapt_core.methods.full import Full
from adapt_core.methods.last_layer import LastLayer
from adapt_core.methods.params import LastLayerParams
from adapt_core.methods.requires_grad import hold_blocks_before
from adapt_core.plugin.params import NoParams


def convnet() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def trainable(model: nn.Module) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def test_full_trains_everything_even_what_was_frozen() -> None:
    model = convnet()
    model[0].requires_grad_(False)
    method = Full(NoParams())
    method.attach(model, AttachContext(head=("4",)))
    assert len(trainable(model)) == len(list(model.parameters()))
    assert method.trainable_groups(model)["head"] == ["4.weight", "4.bias"]
    assert "0.weight" in method.trainable_groups(model)["base model"]


def test_full_refuses_a_quantized_base() -> None:
    with pytest.raises(InputError, match="quantized"):
        Full(NoParams()).attach(convnet(), AttachContext(quantized=True))


def test_last_layer_trains_the_head_alone() -> None:
    model = convnet()
    method = LastLayer(LastLayerParams())
    method.attach(model, AttachContext(head=("4",)))
    assert trainable(model) == ["4.weight", "4.bias"]
    assert method.trainable_groups(model)["head"] == ["4.weight", "4.bias"]


def test_last_layer_trains_what_the_checkpoint_did_not_hold() -> None:
    model = convnet()
    LastLayer(LastLayerParams()).attach(model, AttachContext(head=("4",), new_parameters=frozenset({"1.bias"})))
    assert trainable(model) == ["1.bias", "4.weight", "4.bias"]


def test_last_layer_needs_a_head() -> None:
    with pytest.raises(InputError, match="has no head"):
        LastLayer(LastLayerParams()).attach(convnet(), AttachContext())


def test_statistics_of_a_frozen_batch_norm_stand_still_while_training() -> None:
    model = convnet()
    method = LastLayer(LastLayerParams())
    method.attach(model, AttachContext(head=("4",)))
    before = model[1].running_mean.clone()
    model.train()
    model(torch.randn(8, 3, 8, 8) + 5)
    assert torch.equal(model[1].running_mean, before)
    method.merge(model, None)
    model.train()
    model(torch.randn(8, 3, 8, 8) + 5)
    assert not torch.equal(model[1].running_mean, before)


def test_dropout_between_frozen_layers_is_still_and_that_of_the_head_is_not() -> None:
    drops = nn.Dropout(0.5), nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)), nn.Dropout(0.5)
    model = nn.Sequential(nn.Linear(4, 4), drops[0], drops[1], drops[2], nn.Linear(4, 2))
    LastLayer(LastLayerParams()).attach(model, AttachContext(head=("4",)))
    model.train()
    model(torch.ones(1, 4))
    assert [drop.training for drop in (drops[0], drops[1][1], drops[2])] == [False, False, True]


def test_dropout_between_frozen_layers_acts_where_it_is_asked_for() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 4), nn.Linear(4, 2))
    LastLayer(LastLayerParams(frozen_dropout=True)).attach(model, AttachContext(head=("3",)))
    model.train()
    model(torch.ones(1, 4))
    assert model[1].training


def tower() -> nn.ModuleDict:
    """Return embeddings with dropout, three blocks with dropout, and a head."""
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 4)) for _ in range(3)]
    embeddings = nn.Sequential(nn.Embedding(8, 4), nn.Dropout(0.5))
    return nn.ModuleDict({"embeddings": embeddings, "blocks": nn.ModuleList(blocks), "head": nn.Linear(4, 2)})


def modes(model: nn.ModuleDict, first: nn.Module) -> list[bool]:
    """Return which parts train behind a forward pass: the embeddings, and the dropout of each block."""
    hold_blocks_before(model, first)
    model.train()
    hidden = model["embeddings"](torch.tensor([[1, 2]]))
    for block in model["blocks"]:
        hidden = block(hidden)
    return [model["embeddings"].training, *(block[1].training for block in model["blocks"])]


def test_blocks_before_the_first_that_trains_are_still() -> None:
    model = tower()
    assert modes(model, model["blocks"][1]) == [False, False, True, True]
    model = tower()
    assert modes(model, model["blocks"][2][2]) == [False, False, False, True], "its dropout is before what trains"


def test_where_the_first_block_trains_nothing_is_held() -> None:
    for path in ("blocks.0.2", "blocks.0", "embeddings.0", "embeddings"):
        model = tower()
        assert modes(model, model.get_submodule(path)) == [True] * 4
