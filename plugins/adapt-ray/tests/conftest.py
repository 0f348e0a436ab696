"""Fixtures of adapt-ray's tests: real runs on a real Ray of two CPUs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest

pytest.importorskip("ray")
pytest.importorskip("adapt_nlp")

Keys = dict[str, Any]


@pytest.fixture(scope="session")
def job(tiny_encoder: Path, inbox: Path) -> Keys:
    """text_classification in two processes of Ray Train: 24 steps of 2 x 8 rows, a checkpoint at each fourth."""
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "MAX_TRAIN_SAMPLES": 64,
        "MAX_EVAL_SAMPLES": 37,
        "EPOCHS": 6,
        "LR": 0.05,
        "OPTIMIZER": "sgd",
        "NUM_WORKERS": 0,
        "BATCH_SIZE": 8,
        "LOGGING_STEPS": 1,
        "INTERVAL": "steps",
        "INTERVAL_STEPS": 4,
        "NO_OF_CHECKPOINTS": 2,
        "SAVE_METHOD": "safetensors",
        "VERDICT": "none",
        "launcher": "ray",
        "num_processes": 2,
        "use_cpu": True,
        "collective_timeout": 120,
    }


@pytest.fixture
def keys(job: Keys, tmp_path: Path) -> Keys:
    """That job in a run folder of the test's own."""
    return {**job, "OUTPUT_DIR": str(tmp_path / "run")}


@attrs.define
class Started:
    """An `adapt run` that goes on while a test does something to it.

    Attributes:
        process: the command.
        folder: the run folder.
    """

    process: subprocess.Popen[str]
    folder: Path

    def workers(self) -> dict[int, int]:
        """Rank -> process id of the newest workers, by the log."""
        text = (self.folder / "log.txt").read_text(encoding="utf-8")
        return {int(rank): int(pid) for rank, pid in re.findall(r"rank (\d+) is process (\d+) of ", text)}

    def step(self) -> int:
        """The last step that was logged."""
        with suppress(FileNotFoundError):
            lines = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
            return max((line["step"] for line in lines if line["phase"] == "train"), default=0)
        return 0

    def wait_for_step(self, step: int) -> dict[int, int]:
        """Waits until training is that far, and returns the workers."""
        while self.step() < step:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        return self.workers()

    def started(self) -> list[psutil.Process]:
        """Every process that the command started, Ray's among them."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> tuple[int, str]:
        """Exit code and what was written to standard error."""
        _, errors = self.process.communicate(timeout=600)
        return self.process.returncode, errors


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Starts `adapt run` on keys; whatever is left of it at the end of the test is ended."""
    begun: list[Started] = []

    def begin(keys: Keys, *arguments: str) -> Started:
        config = tmp_path / f"config-{len(begun)}.json"
        config.write_text(json.dumps(keys), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "adapt_core", "run", str(config), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background would hand down that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        begun.append(Started(process, Path(keys["OUTPUT_DIR"])))
        return begun[-1]

    yield begin
    for run in begun:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGKILL)
            run.process.communicate()


@pytest.fixture(scope="session")
def whole(job: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unbroken run of the job."""
    import adapt_core

    folder = tmp_path_factory.mktemp("whole") / "run"
    adapt_core.run({**job, "OUTPUT_DIR": str(folder)})
    return folder


def left(processes: list[psutil.Process]) -> list[str]:
    """What still runs of some processes after at most 20 seconds."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    return [str(process) for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def equal_weights(first: Path, second: Path) -> bool:
    """Whether two run folders have the same model, bit for bit."""
    from safetensors.torch import load_file
    from torch import equal

    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (first, second))
    return ours.keys() == theirs.keys() and all(equal(ours[name], theirs[name]) for name in ours)
