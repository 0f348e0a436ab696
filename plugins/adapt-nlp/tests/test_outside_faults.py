"""What the world does to a run that is on: it says so on one screen, and what was saved before stays good."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.errors import AdaptError, InputError
from adapt_core.run_folder.checkpoints import fault, newest_complete, step_of

Run = Callable[..., Any]
STEPS = {"EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 2, "NO_OF_CHECKPOINTS": 9, "LOGGING_STEPS": 1}


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Does something at the end of a step of the next run, before that step's evaluation and checkpoint."""
    from adapt_core.hf.loop.callbacks import MetricsCallback

    on_step_end = MetricsCallback.on_step_end

    def arrange(step: int, act: Callable[[], None]) -> None:
        def then(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
            on_step_end(self, args, state, control, **options)
            if state.global_step == step:
                act()

        monkeypatch.setattr(MetricsCallback, "on_step_end", then)

    return arrange


def mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a small file system: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 48 MB."""
    if shutil.which("mount") is None:
        pytest.skip("needs the command mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=48m", "none", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def shown(error: AdaptError) -> str:
    text = str(error)
    assert len(text.splitlines()) <= 10
    return text


def test_a_full_disk(run: Run, small_disk: Path, at_step: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_disk / "run"
    at_step(5, lambda: fill(small_disk))
    with pytest.raises(InputError, match="no space is left on the disk") as caught:
        run(**STEPS, OUTPUT_DIR=str(folder))
    assert "--resume" in shown(caught.value)
    monkeypatch.undo()
    checkpoint = newest_complete(folder / "checkpoints")
    assert checkpoint is not None
    assert step_of(checkpoint) == 4
    (small_disk / "filler").unlink()
    assert run(**STEPS, OUTPUT_DIR=str(folder), resume=True).steps == 8


def test_a_disk_that_is_full_from_the_start(run: Run, small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(InputError, match=r"no space|No space"):
        run(OUTPUT_DIR=str(small_disk / "run"))


def test_a_folder_that_turns_read_only(
    run: Run, small_disk: Path, at_step: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_disk / "run"

    def bind() -> None:
        subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)

    at_step(3, bind)
    with pytest.raises(InputError, match="the file system is read-only") as caught:
        run(**STEPS, OUTPUT_DIR=str(folder))
    assert "--resume" in shown(caught.value)
    monkeypatch.undo()
    with pytest.raises(InputError, match="cannot be written to"):
        run(**STEPS, OUTPUT_DIR=str(folder), resume=True)
    subprocess.run(["umount", str(folder)], check=True)
    assert run(**STEPS, OUTPUT_DIR=str(folder), resume=True).steps == 8


def test_a_checkpoint_folder_deleted_while_running(run: Run, tmp_path: Path, at_step: Callable[..., None]) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    at_step(5, lambda: shutil.rmtree(checkpoints))
    assert run(**STEPS).steps == 8
    assert [fault(path) for path in sorted(checkpoints.glob("checkpoint-*"))] == [None, None]


def test_a_run_folder_deleted_while_running(run: Run, tmp_path: Path, at_step: Callable[..., None]) -> None:
    at_step(5, lambda: shutil.rmtree(tmp_path / "run"))
    with pytest.raises(InputError, match="was deleted while the run was on") as caught:
        run(**STEPS)
    shown(caught.value)


def test_the_best_checkpoint_deleted_while_running(
    run: Run, tmp_path: Path, at_step: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    rising = {"LR": 1.0, "SCHEDULER_TYPE": "constant", "METRIC_FOR_BEST": "loss"}
    at_step(7, lambda: shutil.rmtree(checkpoints))
    result = run(**STEPS, **rising, KEEP="best")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    evaluations = {line["step"]: line["loss"] for line in lines if line["phase"] == "eval"}
    best = min(evaluations, key=lambda step: evaluations[step])
    assert best < 7
    assert f"the best checkpoint (step {best}) was deleted: the model keeps the weights of step 8" in caplog.text
    assert result.metrics["after"]["loss"] == evaluations[8]


def test_a_data_file_cut_while_running(run: Run, inbox: Path, tmp_path: Path, at_step: Callable[..., None]) -> None:
    data = tmp_path / "data"
    shutil.copytree(inbox, data)
    at_step(3, lambda: os.truncate(data / "train.jsonl", 100))
    cut = run(**STEPS, CUSTOM_DATASET_PATH=str(data))
    assert cut.metrics == run(**STEPS, OUTPUT_DIR=str(tmp_path / "whole")).metrics


def test_a_loading_process_that_is_killed(
    run: Run, tmp_path: Path, at_step: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {**STEPS, "BATCH_SIZE": 2, "NUM_WORKERS": 2, "DO_EVAL": False}

    def children() -> set[int]:
        tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        return {int(word) for path in tasks for word in path.read_text().split()}

    others = children()

    def kill_loading() -> None:
        loading = children() - others
        assert loading
        for pid in loading:
            os.kill(pid, signal.SIGKILL)

    at_step(5, kill_loading)
    with pytest.raises(InputError, match="a data-loading process was killed") as caught:
        run(**many)
    assert "--resume" in shown(caught.value)
    monkeypatch.undo()
    assert step_of(newest_complete(tmp_path / "run" / "checkpoints") or Path()) == 4
    assert run(**many, resume=True).steps == 64


def test_a_loss_that_is_not_finite_names_step_and_rows_and_reaches_no_checkpoint(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    seen: list[Any] = []
    compute_loss = Trainer.compute_loss

    def burst(self: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        computed = compute_loss(self, model, inputs, *args, **kwargs)
        if model.training:
            seen.append(inputs["input_ids"])
            if len(seen) == 6:
                loss, outputs = computed
                return loss * float("nan"), outputs
        return computed

    monkeypatch.setattr(Trainer, "compute_loss", burst)
    with pytest.raises(InputError, match=r"not finite at step 6, in training rows \d+") as caught:
        run(**{**STEPS, "INTERVAL_STEPS": 1, "NO_OF_CHECKPOINTS": 2, "LOGGING_STEPS": 50}, GROUP_BY_LENGTH=True)
    checkpoint = newest_complete(tmp_path / "run" / "checkpoints")
    assert checkpoint is not None
    assert step_of(checkpoint) == 5
    rows = shown(caught.value).partition("training rows ")[2].partition(":")[0]
    assert len(rows.split(",")) == len(seen[-1])
    assert torch.isfinite(torch.load(checkpoint / "optimizer.pt")["state"][0]["exp_avg"]).all()


def test_an_evaluation_that_fails_leaves_the_checkpoints(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_core.hf.loop.loop import HuggingFaceLoop

    scored, calls = HuggingFaceLoop._compute_metrics, []

    def fail_the_third(self: Any, prediction: Any) -> dict[str, float]:
        calls.append(0)
        if len(calls) == 3:
            raise ZeroDivisionError("a metric of the test")
        return scored(self, prediction)

    whole = run(**STEPS, OUTPUT_DIR=str(tmp_path / "whole"))
    monkeypatch.setattr(HuggingFaceLoop, "_compute_metrics", fail_the_third)
    with pytest.raises(ZeroDivisionError):
        run(**STEPS)
    monkeypatch.undo()
    assert step_of(newest_complete(tmp_path / "run" / "checkpoints") or Path()) == 2
    assert run(**STEPS, resume=True).metrics == whole.metrics


def test_two_runs_on_one_folder(
    run: Run, keys: dict[str, Any], tmp_path: Path, forked_adapt: Any, at_step: Any
) -> None:
    second: list[Any] = []
    (tmp_path / "c.json").write_text(json.dumps(keys), encoding="utf-8")
    at_step(2, lambda: second.append(forked_adapt("run", "c.json", "--set", "OVERWRITE_OUTPUT_DIR=true")))
    assert run().status == "finished"
    assert second[0].returncode == 2
    assert "is in use by another run" in second[0].stderr
    assert len(second[0].stderr.strip().splitlines()) <= 10
