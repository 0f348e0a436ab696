"""A short form of `python -m stress.scale`, and the figures that it holds against what a user expects."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

from stress.scale.allocations import figures as allocation_figures
from stress.scale.allocations import grows
from stress.scale.counted_run import ENVIRONMENT
from stress.scale.figures import after_training, findings, first_step, pieces, quickest, slope, steps_a_second, trained
from stress.scale.jobs import JOBS
from stress.scale.page import with_table
from stress.scale.watch import Look

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "stress" / "results" / "scale.json"


def looks(growth: float = 0.0, slowing: float = 0.0) -> list[Look]:
    """Looks at 10,000 steps with noise of 1 MiB, growing by so many MiB and becoming slower by so large a share."""
    found, seconds = [], 0.0
    for number in range(1, 201):
        seconds += 1 + slowing * number / 200
        noise = 1.0 if number % 2 else -1.0
        own = 100 + noise + growth * number / 200
        found.append(Look(step=number * 50, seconds=seconds, own_mib=own, disk_mib=10))
    return found


def test_the_slope_is_that_of_least_squares() -> None:
    assert slope(looks())[0] == pytest.approx(0, abs=1e-9)
    growth, error = slope(looks(growth=20))
    assert growth == pytest.approx(2, rel=0.01)
    assert error < 0.1


def test_speed_is_in_seconds_of_the_process() -> None:
    even, slower = looks(), looks(slowing=1)
    assert steps_a_second(even[:40]) == pytest.approx(steps_a_second(even[-40:])) == pytest.approx(50)
    assert steps_a_second(slower[:40]) > 1.5 * steps_a_second(slower[-40:])


def test_a_machine_that_became_slower_is_not_a_run_that_did() -> None:
    """Twice the seconds of the process where the fixed piece of work takes twice as long are no more work."""
    slowed = [attrs.evolve(look, seconds=2 * look.seconds, piece_seconds=2.0) for look in looks()]
    assert steps_a_second(slowed) * pieces(slowed) == pytest.approx(steps_a_second(looks()) * pieces(looks()))
    assert quickest([slowed]) == (2 * first_step(looks()), first_step(looks()))


def test_training_is_from_the_first_step_to_the_last() -> None:
    before = [Look(step=0, seconds=0.5, own_mib=1, disk_mib=0)]
    after = [attrs_step(look, 10_000) for look in looks()[:3]]
    assert trained([*before, *looks(), *after]) == looks()


def test_the_quicker_of_two_resumes_counts_and_one_that_finds_nothing_to_do_does_not() -> None:
    def process(step: int, seconds: float) -> list[Look]:
        return [Look(step=step, seconds=seconds, own_mib=1, disk_mib=0)]

    assert quickest([process(1, 9), process(1, 7), process(0, 3)])[0] == 7
    assert math.isnan(quickest([process(0, 3)])[0])


def attrs_step(look: Look, step: int) -> Look:
    return Look(step=step, seconds=look.seconds + 1000, own_mib=look.own_mib, disk_mib=look.disk_mib)


def test_a_process_that_finds_the_run_finished_has_no_figures() -> None:
    """Where a run ends before it heeds that it is asked to stop, the next process has nothing to train."""
    finished = [Look(step=0, seconds=0.5, own_mib=1, disk_mib=0)]
    assert math.isnan(first_step(finished))
    assert math.isnan(after_training(finished))
    [finding] = findings({**GOOD, "resume_at_end_seconds": first_step(finished)})
    assert "ended before" in finding


GOOD = {
    "growth_mib_per_1000_steps": 0.01,
    "growth_error": 0.02,
    "grown_share": 0.001,
    "speed_end_over_start": 0.98,
    "resume_at_end_seconds": 21.0,
    "resume_end_over_start": 1.05,
    "checkpoints": 2,
    "report_mib": 0.5,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"growth_mib_per_1000_steps": 3.0, "grown_share": 0.2}, "memory grows"),
        ({"speed_end_over_start": 0.4}, "slower at the end"),
        ({"resume_end_over_start": 3.0}, "a resume near the end"),
        ({"checkpoints": 9}, "9 checkpoints"),
        ({"report_mib": 7.5}, "the report has 7.5 MiB"),
    ],
)
def test_what_is_not_as_it_should_be_is_a_finding(change: dict[str, float], said: str) -> None:
    assert findings(GOOD) == []
    [finding] = findings({**GOOD, **change})
    assert said in finding


def counted(growth: float, step_mib: float = 30.0) -> list[dict[str, float]]:
    """Looks at 10,000 steps: at most of them a step holds activations, at some nothing but what stays."""
    found = []
    for number in range(1, 2001):
        held = step_mib * (number % 7) / 7
        noise = 0.01 if number % 2 else -0.01
        allocated = 300 + held + noise + growth * number / 2000
        found.append({"step": number * 5, "allocated": allocated, "own": 600.0 + held})
    return found


def test_what_a_step_holds_meanwhile_is_no_growth_and_what_stays_is() -> None:
    flat = allocation_figures(counted(growth=0))
    assert flat["allocated_mib"] == pytest.approx(300, abs=0.1)
    assert abs(flat["allocated_growth_mib_per_1000_steps"]) < 0.005
    assert not grows(flat)
    growing = allocation_figures(counted(growth=2))
    assert growing["allocated_growth_mib_per_1000_steps"] == pytest.approx(0.2, rel=0.05)
    assert grows(growing)


@pytest.mark.skipif(sys.platform != "linux", reason="mallinfo2 is of glibc")
def test_what_is_allocated_is_counted_to_the_megabyte() -> None:
    """In a process of its own: the environment decides which allocator serves Python."""
    script = (
        "from stress.scale.counted_run import allocated_mib\n"
        "before = allocated_mib(); kept = [bytes(1000) for _ in range(20_000)]\n"
        "held = allocated_mib(); del kept\n"
        "print(held - before, allocated_mib() - before)"
    )
    env = {**os.environ, **ENVIRONMENT}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    held, freed = map(float, done.stdout.split())
    # 33 bytes of an object's own, 8 of malloc's, in pieces of 16; and the list's 8 for each.
    assert held == pytest.approx(20_000 * (1056 + 8) / 2**20, rel=0.01)
    assert abs(freed) < 0.2


def test_the_page_has_the_record() -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert page == with_table(page, json.loads(RECORD.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("job", [job.name for job in JOBS])
def test_a_short_run_is_stopped_twice_resumed_and_measured(job: str, tmp_path: Path) -> None:
    if job == "images":
        pytest.importorskip("adapt_vision_mm")
    out = tmp_path / "record.json"
    command = [sys.executable, "-m", "stress.scale", job, "--short", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert out.is_file(), done.stdout + done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))[job]
    [whole] = [each for each in JOBS if each.name == job]
    assert (found["rows"], found["steps"]) == whole.short
    assert found["checkpoints"] <= 2
    assert 0 < found["report_mib"] < 5
    assert found["first_step_seconds"] > 0
    assert found["speed_end_over_start"] > 0
    assert found["resume_at_end_seconds"] > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_short_run_s_allocations_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "record.json"
    command = [sys.executable, "-m", "stress.scale.allocations", "steps", "--short", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    found = json.loads(out.read_text(encoding="utf-8"))["steps"]
    assert 100 < found["allocated_mib"] < found["counted_own_mib_at_end"]
