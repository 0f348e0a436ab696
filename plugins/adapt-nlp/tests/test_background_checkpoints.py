"""BACKGROUND_CHECKPOINTS: the same checkpoints as without, written while training goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.run_folder.checkpoints import fault

Run = Callable[..., Any]
STEPS = {"EPOCHS": 1, "INTERVAL": "steps", "INTERVAL_STEPS": 2, "NO_OF_CHECKPOINTS": 9}


def equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, (list, tuple)):
        return len(ours) == len(theirs) and all(map(equal, ours, theirs))
    return bool(ours == theirs)


@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_the_checkpoints_are_those_of_a_run_that_waits(run: Run, tmp_path: Path, method: str) -> None:
    from safetensors.torch import load_file

    folders = {}
    for background in (True, False):
        folders[background] = tmp_path / f"run-{background}"
        run(**STEPS, method=method, BACKGROUND_CHECKPOINTS=background, OUTPUT_DIR=str(folders[background]))
    names = sorted(path.name for path in (folders[True] / "checkpoints").iterdir())
    assert names == ["checkpoint-2", "checkpoint-4"]
    for name in names:
        first, second = (folder / "checkpoints" / name for folder in folders.values())
        assert fault(first) is None
        assert {path.name for path in first.iterdir()} == {path.name for path in second.iterdir()}
        assert equal(load_file(first / "model.safetensors"), load_file(second / "model.safetensors"))
        states = [torch.load(place / "optimizer.pt", weights_only=True) for place in (first, second)]
        assert equal(*states)


def test_training_goes_on_while_a_checkpoint_is_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first checkpoint's file of optimizer states is not written before a later step has begun."""
    from adapt_core.hf.loop.callbacks import MetricsCallback

    later, save, on_step_end, waited = threading.Event(), torch.save, MetricsCallback.on_step_end, list[bool]()

    def after_a_step(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        on_step_end(self, args, state, control, **options)
        if state.global_step == 3:
            later.set()

    def slow(content: Any, file: Any, *args: Any, **options: Any) -> None:
        if Path(str(file)).name == "optimizer.pt":
            waited.append(later.wait(60))
        save(content, file, *args, **options)

    monkeypatch.setattr(MetricsCallback, "on_step_end", after_a_step)
    monkeypatch.setattr(torch, "save", slow)
    assert run(**STEPS).steps == 4
    assert waited == [True, True]


def test_where_memory_has_no_room_for_the_copy_training_waits(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from adapt_core.hf.loop import background

    monkeypatch.setattr(background, "free_memory_bytes", lambda: 1000)
    assert run(**STEPS).steps == 4
    assert "has no room in memory: training waits" in caplog.text
    assert fault(tmp_path / "run" / "checkpoints" / "checkpoint-4") is None


def test_all_the_shares_that_processes_of_one_machine_copy_need_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has 400 bytes, and twice what is copied must be free."""
    from adapt_core.distributed.world import World
    from adapt_core.hf.loop import background
    from adapt_core.run_folder.background import BackgroundWriter

    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    for free, sharded, held in ((900, False, True), (900, True, False), (2500, True, True)):
        monkeypatch.setattr(background, "free_memory_bytes", lambda free=free: free)
        writer = BackgroundWriter()
        background.CheckpointCopies(writer, World()).begin(torch.nn.Linear(100, 1, bias=False), None, sharded=sharded)
        assert writer.enabled is held
