"""SETTINGS: auto: what is chosen where a config does not give it, and what is known not to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.fitting import STEPS, fit_rows, fitting_rate, unfit, width_of
from adapt_core.config.resolver import RunConfig, resolve

from .. import fakes

KEYS = {"TASK": "words", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d"}


def plan(**changes: Any) -> Any:
    return resolve(RunConfig.read({**KEYS, **changes}), fakes.registry_with_all())


def test_a_config_that_says_nothing_has_the_defaults_of_the_specification() -> None:
    training = plan(method="LoRA").training
    assert (training.lr, training.epochs, training.batch_size) == (1e-4, 2.0, 16)
    assert plan().fitting == ()


def test_auto_chooses_the_rate_by_the_method_and_the_rest_by_the_rows() -> None:
    found = plan(method="LoRA", SETTINGS="auto")
    assert found.training.lr == 7.1e-4
    assert found.fitting == ("EPOCHS", "BATCH_SIZE")
    small, large = fit_rows(found, 180), fit_rows(found, 50_000)
    assert (small.training.batch_size, small.training.epochs) == (8, 20)
    assert (large.training.batch_size, large.training.epochs) == (32, 2)
    assert small.fitting == ()
    assert any("SETTINGS auto: EPOCHS 20 and BATCH_SIZE 8, for 180 rows" in remark for remark in small.remarks)
    medium = fit_rows(found, 2400).training
    assert 2400 * medium.epochs / medium.batch_size == pytest.approx(STEPS, rel=0.3)


@pytest.mark.parametrize(("key", "value"), [("LR", 3e-3), ("EPOCHS", 7), ("BATCH_SIZE", 5)])
def test_what_the_config_gives_stands(key: str, value: float) -> None:
    found = fit_rows(plan(SETTINGS="auto", **{key: value}), 180).training
    assert {"LR": found.lr, "EPOCHS": found.epochs, "BATCH_SIZE": found.batch_size}[key] == value


def test_a_batch_that_memory_decides_is_left_to_it() -> None:
    assert plan(SETTINGS="auto", BATCH_SIZE="auto").fitting == ("EPOCHS",)


def test_wider_models_get_lower_rates(tmp_path: Path) -> None:
    rates = []
    for width in (384, 768, 4096):
        (tmp_path / "config.json").write_text(f'{{"hidden_size": {width}}}', encoding="utf-8")
        rates.append(fitting_rate(plan(method="full", MODEL_PATH=str(tmp_path))))
    assert rates == [3e-4, 1.1e-4, 8.6e-6]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hidden_size": "wide"}', '{"hidden_size": null, "d_model": 512}'])
def test_a_model_that_does_not_say_is_as_wide_as_bert(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert width_of(str(tmp_path)) == (512 if "d_model" in text else 768)
    assert width_of("package:no_such_package/model") == 768


def test_a_rate_far_below_what_fits_is_known_to_learn_little_in_few_steps() -> None:
    lora = plan(method="LoRA")
    assert "LR 0.0001 with LoRA is known to learn little in 24 steps: about 0.00071 fits" in unfit(lora, 24)[0]
    assert unfit(lora, 5000) == []
    assert unfit(plan(method="LoRA", LR=5e-4), 24) == []
    assert unfit(plan(method="full"), 24) == []
    assert unfit(plan(method="LoRA", DO_TRAIN=False), 24) == []
