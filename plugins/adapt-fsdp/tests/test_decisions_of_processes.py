"""Decisions, intervals and kept predictions in two processes: those of one process with the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.run_folder.paths import RunFolder
from adapt_core.uncertainty.kept_rows import KeptRows, read_rows

from . import jobs

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

Keys = dict[str, Any]


@pytest.fixture
def keys(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> Keys:
    """Two processes and 101 validation rows: enough to fit a temperature on, and no whole number of batches."""
    learned = {"EPOCHS": 14, "MAX_TRAIN_SAMPLES": None, "LR": 0.002, "OPTIMIZER": None}
    own = {**learned, "MAX_EVAL_SAMPLES": 101, "LOGGING_STEPS": 50, "ABSTAIN_PRECISION": 0.4, "VERDICT": "none"}
    return {**jobs.in_two_processes(tiny_encoder, inbox, tmp_path), **own}


def kept(folder: Path) -> KeptRows:
    found = read_rows(RunFolder(folder))
    assert found is not None
    return found


@pytest.mark.slow
def test_two_processes_decide_what_one_decides(keys: Keys, tmp_path: Path) -> None:
    together: Any = adapt_core.run(keys)
    no_launcher = dict.fromkeys(("num_processes", "use_cpu", "collective_timeout"))
    changes = {"DDP": False, "DO_TRAIN": False, "MODEL_PATH": str(tmp_path / "run" / "model")}
    one: Any = adapt_core.run({**keys, **no_launcher, **changes, "OUTPUT_DIR": str(tmp_path / "one")})
    assert together.intervals["after"].keys() == one.intervals["before"].keys() == {"accuracy", "macro_f1"}
    for name, ends in one.intervals["before"].items():
        assert together.intervals["after"][name] == pytest.approx(ends)
    two, alone = kept(tmp_path / "run"), kept(tmp_path / "one")
    assert len(two) == 101
    assert two.ids == alone.ids
    for column in ("row", "expected", "predicted", "right"):
        assert two.columns[column] == alone.columns[column]
    for mine, theirs in zip(two.columns["scores"], alone.columns["scores"], strict=True):
        assert mine == pytest.approx(theirs, abs=1e-4)
    assert len(set(two.columns["predicted"])) > 2
    calibration, abstain = (together.decisions[name] for name in ("calibration", "abstain"))
    assert calibration["validation"]["rows"] == 101
    assert calibration["temperature"] == pytest.approx(one.decisions["calibration"]["temperature"], rel=1e-3)
    assert calibration["temperature"] != 1
    assert abstain["least_confidence"] == pytest.approx(one.decisions["abstain"]["least_confidence"], rel=1e-3)
    assert abstain["validation"]["rows"] == one.decisions["abstain"]["validation"]["rows"] > 0
