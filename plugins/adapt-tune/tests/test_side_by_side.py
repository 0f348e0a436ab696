"""Trials side by side, on Ray Tune by adapt-ray."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.resolver import RunConfig
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.paths import RunFolder

from adapt_tune.reading import read_search

Read = Callable[..., RunConfig]


def test_trials_run_side_by_side_with_the_rows_of_a_step_of_the_final_run(
    read: Read, registry: Registry, tmp_path: Path
) -> None:
    pytest.importorskip("adapt_ray", reason="needs adapt-ray")
    config = read(
        TUNE={"LR": {"range": [1e-4, 1e-1], "log": True}},
        TUNE_TRIALS=3,
        TUNE_AT_ONCE=2,
        EPOCHS=2,
        BATCH_SIZE=8,
        launcher="ray",
        num_processes=2,
        use_cpu=True,
    )
    told: list[str] = []
    trials, best = read_search(config, registry, "1h", strict=False, say=told.append).execute(resume=False)
    runs = {run.folder: run for run in trials.runs()}
    assert {"trial-0", "trial-1", "trial-2", "final"} <= set(runs)
    assert not [run for run in runs.values() if run.failed]
    assert best.value == max(run.value or 0 for run in runs.values())
    for name, (launcher, accumulated) in {"trial-1": ("local", 2), "final": ("ray", 1)}.items():
        keys: dict[str, Any] = RunFolder(tmp_path / "search" / name).stored_keys()
        assert (keys["launcher"], keys["GRADIENT_ACCUMULATION_STEPS"]) == (launcher, accumulated)
        assert runs[name].steps == 8  # 64 rows, 16 a step, twice


def test_a_launcher_that_runs_one_at_a_time_is_refused(read: Read, registry: Registry) -> None:
    with pytest.raises(InputError, match=r"TUNE_AT_ONCE: 2 .* launcher: ray"):
        read_search(read(TUNE_AT_ONCE=2), registry, "10m", strict=False, say=print)
