"""Several runs of one process each, at one time on Ray Tune: what a search of settings asks for."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest

import adapt_core
from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import InputError, LostProcessError
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult

from adapt_ray.launcher import Ray
from adapt_ray.params import RayParams

pytest.importorskip("ray.tune")

Keys = dict[str, Any]
PARAMS = RayParams(use_cpu=True)


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Everything that is installed."""
    return Registry.discover()


@pytest.fixture
def plan(job: Keys, registry: Registry, tmp_path: Path) -> Plan:
    """A short run in one process."""
    from ruamel.yaml import YAML

    file = tmp_path / "config.yaml"
    left_out = {"launcher", "num_processes", "use_cpu", "collective_timeout"}
    keys = {key: value for key, value in job.items() if key not in left_out}
    YAML().dump({**keys, "INTERVAL": "no", "OUTPUT_DIR": str(tmp_path / "0")}, file)
    return resolve(RunConfig.read(file), registry)


def changed(plan: Plan, name: str, **training: Any) -> Plan:
    """Return the plan with other training parameters, in a folder of another name."""
    folder = str(Path(plan.output_dir).with_name(name))
    return attrs.evolve(plan, output_dir=folder, training=attrs.evolve(plan.training, **training))


def test_each_run_gives_what_it_gives_alone_and_a_bad_one_costs_no_other(plan: Plan, tmp_path: Path) -> None:
    plans = [plan, changed(plan, "1", lr=1e30), changed(plan, "2", lr=0.01)]
    found = dict(Ray(PARAMS).run_side_by_side(plans, 2))
    assert set(found) == {0, 1, 2}
    assert isinstance(found[1], InputError)
    assert "not finite" in str(found[1])
    for index in (0, 2):
        result = found[index]
        assert isinstance(result, RunResult)
        alone = adapt_core.run({**plans[index].keys(), "OUTPUT_DIR": str(tmp_path / f"alone-{index}")})
        assert result.metrics["after"] == pytest.approx(alone.metrics["after"], rel=1e-5)
        assert result.steps == alone.steps
    assert found[0].metrics["after"] != found[2].metrics["after"]  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_run_whose_process_is_killed_is_lost_and_the_others_end(plan: Plan) -> None:
    plans = [plan, changed(plan, "1", epochs=100_000.0)]
    lost: dict[int, Any] = {}
    for index, outcome in Ray(PARAMS).run_side_by_side(plans, 2):
        lost[index] = outcome
        if index == 0:
            for process in psutil.Process().children(recursive=True):
                if "OneRun" in " ".join(process.cmdline()) and process.cpu_percent(0.3) > 1:
                    os.kill(process.pid, signal.SIGKILL)
    assert isinstance(lost[0], RunResult)
    assert isinstance(lost[1], LostProcessError)


@pytest.mark.slow
def test_closing_it_ends_the_runs_that_are_left(plan: Plan) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    running = Ray(PARAMS).run_side_by_side([plan, changed(plan, "1", epochs=100_000.0)], 2)
    assert next(running)[0] == 0
    running.close()  # type: ignore[attr-defined]
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    assert not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
