"""`SETTINGS: auto` in runs and in `adapt check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapt_core import api

from .test_training_parameters import Run


@pytest.fixture
def open_keys(keys: dict[str, Any]) -> dict[str, Any]:
    """The small config without learning rate and epochs."""
    return {key: value for key, value in keys.items() if key not in ("LR", "EPOCHS")}


def test_a_run_trains_with_what_fits_and_keeps_it(open_keys: dict[str, Any], tmp_path: Path) -> None:
    result = api.run({**open_keys, "SETTINGS": "auto", "method": "full"})
    config = (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")
    assert "BATCH_SIZE: 8" in config
    assert "EPOCHS: 20" in config
    assert result.steps == 160  # 64 rows in batches of 8, 20 times
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert "SETTINGS auto: LR 0.0" in log
    assert "SETTINGS auto: EPOCHS 20 and BATCH_SIZE 8, for 64 rows" in log
    again = api.run({**open_keys, "SETTINGS": "auto", "method": "full"}, resume=True)
    assert again.metrics == result.metrics


def test_check_counts_the_steps_that_the_run_will_have(open_keys: dict[str, Any]) -> None:
    found = api.estimate(api.check({**open_keys, "SETTINGS": "auto", "method": "full"}))
    assert found.steps == 160
    assert found.settings == "SETTINGS auto: EPOCHS 20 and BATCH_SIZE 8, for 64 rows"


def test_a_rate_that_is_known_to_learn_little_is_told_by_check_and_run(
    run: Run, keys: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("peft", reason="needs adapt-peft-ssf")
    low = {**keys, "method": "LoRA", "LR": 1e-4, "r": 4}
    found = api.estimate(api.check(low))
    assert any("LR 0.0001 with LoRA is known to learn little in 4 steps" in warning for warning in found.warnings)
    result = run(method="LoRA", LR=1e-4)
    assert "known to learn little in 4 steps" in caplog.text
    assert not any("known to learn" in warning for warning in result.warnings)  # it may have learned: metrics decide
