"""What a search varies: TUNE, checked before anything runs, or what is usual."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
import pytest

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.plugin.registry import Registry

from adapt_tune.space import Space, read_space

Read = Callable[..., RunConfig]


@pytest.fixture
def space(read: Read, registry: Registry) -> Callable[..., Space]:
    """Reads the space of the config with changes."""

    def of(**changes: Any) -> Space:
        return read_space(read(**changes), registry, strict=False)

    return of


def drawn(space: Space, count: int, method: str = "full") -> list[dict[str, Any]]:
    """Return the settings of so many trials."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.settings_of(study.ask(), method) for _ in range(count)]


def test_ranges_and_choices_are_drawn_within_their_ends(space: Callable[..., Space]) -> None:
    ranges = {"LR": {"range": [1e-5, 1e-3], "log": True}, "EPOCHS": {"range": [1, 4]}}
    found = space(TUNE={**ranges, "BATCH_SIZE": [4, 8], "WEIGHT_DECAY": {"choices": [0.0, 0.1]}})
    settings = drawn(found, 60)
    rates = [one["LR"] for one in settings]
    assert all(1e-5 <= rate <= 1e-3 for rate in rates)
    assert sum(rate < 1e-4 for rate in rates) > 15  # its logarithm is drawn evenly
    assert {one["BATCH_SIZE"] for one in settings} == {4, 8}
    assert {one["WEIGHT_DECAY"] for one in settings} == {0.0, 0.1}
    assert set(settings[0]) == {"LR", "EPOCHS", "BATCH_SIZE", "WEIGHT_DECAY"}


def test_whole_numbers_stay_whole(space: Callable[..., Space]) -> None:
    settings = drawn(space(TUNE={"BATCH_SIZE": {"range": [2, 5]}}), 40)
    assert {one["BATCH_SIZE"] for one in settings} == {2, 3, 4, 5}


def test_a_key_of_a_method_is_drawn_where_that_method_runs(space: Callable[..., Space]) -> None:
    pytest.importorskip("adapt_peft_ssf")
    found = space(TUNE={"method": ["LoRA", "full"], "r": [4, 8], "LR": {"range": [1e-4, 1e-2], "log": True}})
    for settings in drawn(found, 30):
        assert ("r" in settings) == (settings["method"] == "LoRA")


def test_the_drawn_settings_are_those_of_the_plan(space: Callable[..., Space], registry: Registry) -> None:
    found = space(LR=0.5, TUNE={"LR": {"range": [1e-5, 1e-3], "log": True}})
    plan = resolve(found.with_settings({"LR": 2e-4}), registry)
    assert plan.training.lr == 2e-4
    assert not [remark for remark in plan.remarks if "TUNE" in remark]


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ({"LR": {"range": [1e-3, 1e-5]}}, "TUNE: LR: range is two numbers, the lower one first"),
        ({"LR": {"range": [0, 1], "log": True}}, "needs a range above 0"),
        ({"LR": 3}, "must be {range: [LOW, HIGH]}"),
        ({"LR": {"rnage": [1, 2]}}, "must be {range: [LOW, HIGH]}"),
        ({"BATCH_SIZE": [8]}, "a list of two or more"),
        ({"BATCH_SIZE": {"range": [1.5, 4]}}, "takes whole numbers"),
        ({"BATCH_SIZE": {"range": [0, 4]}}, "BATCH_SIZE (core): must be at least 1"),
        ({"SCHEDULER_TYPE": ["linear", "liner"]}, "must be one of"),
        ({"LRR": {"range": [1, 2]}}, "unknown key"),
        ({"SEED": [1, 2]}, "is not searched"),
        ({"method": ["full", "LoRR"]}, "no method 'LoRR'"),
        ({"LR": [1e-3, 1e-2], "lr": [1e-4, 1e-1]}, "TUNE: lr: is searched twice"),
        ({"method": ["LoRA", "full"], "peft_method": ["LoRA", "full"]}, "is searched twice"),
        ({}, "maps keys to"),
    ],
)
def test_what_cannot_be_searched_is_told_with_its_key(space: Callable[..., Space], tune: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        space(TUNE=tune)
    assert words in str(caught.value)


def test_a_key_that_no_method_of_the_search_reads_is_told(space: Callable[..., Space]) -> None:
    with pytest.raises(ConfigError, match="no run of the search reads it"):
        space(method="full", TUNE={"r": [4, 8], "LR": {"range": [1e-4, 1e-3]}})


def test_all_problems_come_together_with_their_lines(space: Callable[..., Space]) -> None:
    with pytest.raises(ConfigError) as caught:
        space(TUNE={"LR": 3, "BATCH_SIZE": [8]})
    assert len(caught.value.problems) == 2
    assert all(problem.where.line for problem in caught.value.problems)


def test_without_tune_the_usual_is_searched_around_what_fits(space: Callable[..., Space]) -> None:
    found = space(method="full")
    by_name = {one.name: one for one in found.dimensions}
    assert set(by_name) == {"LR (full)", "BATCH_SIZE"}
    fits = found.starts[0]["LR (full)"]
    assert by_name["LR (full)"].low < fits < by_name["LR (full)"].high
    assert by_name["BATCH_SIZE"].choices == (8, 16, 32)


def test_a_config_without_a_method_is_searched_for_one(space: Callable[..., Space]) -> None:
    pytest.importorskip("adapt_peft_ssf")
    found = space()
    methods = next(one for one in found.dimensions if one.key == "method").choices
    assert methods == ("full", "LoRA")
    assert [one["method"] for one in found.starts] == ["full", "LoRA"]
    for settings in drawn(found, 20):
        assert ("r" in settings) == (settings["method"] == "LoRA")
        assert "LR" in settings


def test_the_settings_that_fit_are_tried_where_tune_holds_them(space: Callable[..., Space]) -> None:
    wide = space(method="full", TUNE={"LR": {"range": [1e-6, 1e-1], "log": True}, "EPOCHS": [1, 2]})
    assert 1e-4 < wide.starts[0]["LR"] < 1e-1
    assert "EPOCHS" not in wide.auto  # TUNE bounds it
    assert wide.with_auto({"LR": 1.0, "BATCH_SIZE": 4}) == {"LR": 1.0, "SETTINGS": "auto"}
    narrow = space(method="full", TUNE={"LR": {"range": [1e-7, 1e-6]}})
    assert narrow.starts == ({},)


def test_a_config_that_has_the_settings_that_fit_does_not_try_them_twice(space: Callable[..., Space]) -> None:
    assert space(method="full", SETTINGS="auto").starts == ()
