"""adapt init: a starter config that explains itself and resolves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.config.starter import starter_config
from adapt_core.errors import ConfigError
from adapt_core.plugin.params import parameters_of

from .. import fakes


def starter(*overrides: str, method: str | None = "LoRA") -> str:
    return starter_config("words", method, overrides, fakes.registry_with_all())


def resolved(text: str, path: Path) -> Any:
    path.write_text(text, encoding="utf-8")
    return resolve(RunConfig.read(path), fakes.registry_with_all(), strict=True)


def filled(text: str) -> str:
    return text.replace("\nMODEL_PATH:\n", "\nMODEL_PATH: m\n").replace(
        "\nCUSTOM_DATASET_PATH:\n", "\nCUSTOM_DATASET_PATH: d\n"
    )


def test_once_filled_in_it_resolves_strictly_to_the_defaults_and_a_rate_that_fits(tmp_path: Path) -> None:
    plan = resolved(filled(starter()), tmp_path / "words.yaml")
    keys = {"TASK": "words", "method": "LoRA", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", "LR": 7.1e-4}
    plain = resolve(RunConfig.read(keys), fakes.registry_with_all())
    assert plan.config_sha256 == plain.config_sha256


def test_every_key_stands_once_with_its_help_above(tmp_path: Path) -> None:
    text = starter("load_in_4bit=true")
    lines = text.splitlines()
    declared = [fakes.WordsParams, fakes.RankParams, fakes.FourBitParams, *GROUPS.values()]
    for params in declared:
        for parameter in parameters_of(params).values():
            if parameter.key == "FULL_FINE_TUNING":
                continue
            found = [n for n, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{parameter.key}:")]
            assert len(found) == 1, parameter.key
            if parameter.key not in ("TASK", "method"):
                first_words = " ".join(parameter.declaration.help.split()[:3])
                assert any(first_words in line for line in lines[max(0, found[0] - 4) : found[0]]), parameter.key
    assert "# Rank. [at least 1]\nr: 8" in text


def test_what_is_set_stands_there_and_need_not_be_filled_in(tmp_path: Path) -> None:
    text = starter(
        "MODEL_PATH=some/model", "DATASET=ag_news", "LR=3e-5", "FORMAT_STRING='{a}: {b}'", "palette=[[1, 2]]"
    )
    plan = resolved(text, tmp_path / "c.yaml")
    assert plan.model.model_path == "some/model"
    assert plan.data.dataset == "ag_news"
    assert plan.training.lr == 3e-5
    assert plan.data.format_string == "{a}: {b}"
    assert plan.task.params.palette == ((1, 2),)
    assert "Fill in" not in text


def test_a_wrong_key_or_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="LERNING_RATE"):
        starter("LERNING_RATE=1")
    with pytest.raises(ConfigError, match="no task 'wrds'"):
        starter_config("wrds", None, (), fakes.registry_with_all())


def test_the_command_writes_and_never_overwrites(adapt: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("adapt_nlp")
    done = adapt("init", "text_classification", "--set", "EPOCHS=5")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "text_classification.yaml"
    text = file.read_text(encoding="utf-8")
    assert "EPOCHS: 5" in text
    again = adapt("init", "text_classification")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert file.read_text(encoding="utf-8") == text
    printed = adapt("init", "text_classification", "--set", "EPOCHS=5", "-o", "-").stdout
    assert text == f"# yaml-language-server: $schema=.adapt-schema.json\n{printed}"


def test_without_a_task_a_pipe_is_told_what_there_is(adapt: Callable[..., Any]) -> None:
    done = adapt("init", stdin=-3)
    assert done.returncode == 2
    assert "Tasks installed" in done.stderr or "no task is installed" in done.stderr


def test_the_rate_says_what_it_fits_and_what_the_default_is() -> None:
    lines = starter().splitlines()
    place = lines.index("LR: 0.00071")
    told = " ".join(line.removeprefix("# ") for line in lines[place - 5 : place])
    assert "This fits LoRA and words" in told
    assert "default, 0.0001" in told
    assert "LR: 0.003" in starter("LR=3e-3").splitlines()
