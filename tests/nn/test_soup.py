"""The greedy average of checkpoints, and statistics of batch norms for it."""

from __future__ import annotations

import copy

import attrs
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from adapt_core.nn.batch_norms import batch_norms, estimated_anew  # noqa: E402
from adapt_core.nn.soup import Kitchen, Mean, greedy_soup, trained_names  # noqa: E402


@attrs.frozen
class Made:
    step: int
    value: float


class Point(nn.Module):
    """A model of two numbers, one of which trains."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1))
        self.frozen = nn.Parameter(torch.full((1,), 7.0), requires_grad=False)


def soup_of(places: dict[int, float], goal: float = 0.0) -> tuple[Point, object]:
    """The soup of checkpoints that are places on a line; the nearer to the goal, the better."""
    model = Point()

    def load(step: int) -> None:
        model.place.data.fill_(places[step])

    kitchen = Kitchen(
        model=model,
        trained=trained_names(model),
        load=load,
        evaluate=lambda: -abs(float(model.place) - goal),
        run_batches=lambda: pytest.fail("there is no batch norm"),
        is_better=lambda value, than: value > than,
    )
    ranked = sorted((Made(step, -abs(at - goal)) for step, at in places.items()), key=lambda one: -one.value)
    return model, greedy_soup(kitchen, ranked)


def test_those_join_with_which_the_average_is_not_worse() -> None:
    model, soup = soup_of({1: 1.0, 2: -1.5, 3: 10.0, 4: 2.0})
    assert soup.steps == [1, 2]  # at -0.25; with 4 it would be at 0.5, with 3 at 3.2
    assert float(model.place) == pytest.approx(-0.25)


def test_the_best_alone_stays_where_every_average_is_worse() -> None:
    model, soup = soup_of({1: 0.5, 2: 3.0, 3: 4.0})
    assert soup.steps == [1]
    assert float(model.place) == 0.5
    assert [one["together"] for one in soup.tried] == [-0.5, -1.75, -2.25]


def test_frozen_tensors_and_whole_numbers_stay() -> None:
    mean = Mean({"a": torch.tensor([1.0]), "count": torch.tensor(3), "same": torch.tensor([0.1])})
    found = mean.with_further({"a": torch.tensor([2.0]), "count": torch.tensor(9), "same": torch.tensor([0.1])})
    assert found["a"] == 1.5
    assert found["count"] == 3
    assert torch.equal(found["same"], torch.tensor([0.1]))


def test_averages_of_bfloat16_are_rounded_once() -> None:
    weights = [torch.randn(100, dtype=torch.bfloat16) for _ in range(4)]
    mean = Mean({"w": weights[0]})
    for own in weights[1:3]:
        mean.add({"w": own})
    expected = torch.stack([own.double() for own in weights]).mean(0).to(torch.bfloat16)
    assert torch.equal(mean.with_further({"w": weights[3]})["w"], expected)


def test_statistics_are_those_of_torchs_own_averaging() -> None:
    torch.manual_seed(0)
    batches = [torch.randn(8, 3, 5, 5) * 3 + 1 for _ in range(4)]
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    expected = copy.deepcopy(model)
    torch.optim.swa_utils.update_bn(batches, expected)
    model.eval()
    with estimated_anew(model, ["1"]):
        for batch in batches:
            model(batch)
    assert torch.allclose(model[1].running_mean, expected[1].running_mean)
    assert torch.allclose(model[1].running_var, expected[1].running_var)
    assert model[1].momentum == 0.1
    assert not model.training


def test_other_batch_norms_and_dropout_are_as_in_evaluation() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.9), nn.BatchNorm1d(2))
    kept = model[0].running_mean.clone()
    rows = torch.ones(6, 2) * 5
    with estimated_anew(model, ["2"]):
        model(rows)
    assert torch.equal(model[0].running_mean, kept)
    assert torch.allclose(model[2].running_mean, torch.full((2,), 5.0), atol=1e-3)  # nothing was dropped
    assert list(batch_norms(model)) == ["0", "2"]
