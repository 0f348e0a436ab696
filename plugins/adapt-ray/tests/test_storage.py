"""ray_storage_path: the run folder in a storage too, from which the run goes on elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.run_folder.checkpoints import fault, newest_complete

from .conftest import equal_weights

Start = Callable[..., Any]

LOCAL = {"launcher": "local", "num_processes": None, "use_cpu": False}


@pytest.mark.slow
def test_a_run_whose_machine_is_lost_goes_on_from_the_storage(
    keys: dict[str, Any], whole: Path, tmp_path: Path
) -> None:
    keys = {**keys, "ray_storage_path": (tmp_path / "storage").as_uri()}
    with pytest.raises(InterruptedRunError):
        adapt_core.run({**keys, "STOP_AFTER": "10 steps"})
    kept = tmp_path / "storage" / "run"
    checkpoints = sorted(path.name for path in (kept / "checkpoints").iterdir())
    assert checkpoints == ["checkpoint-10", "checkpoint-8"]
    shutil.rmtree(tmp_path / "run")
    result = adapt_core.run(keys, resume=True)
    assert result.steps == 24
    assert "(step 10)" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert equal_weights(tmp_path / "run", whole)
    assert equal_weights(kept, whole)
    newest = newest_complete(kept / "checkpoints")
    assert newest is not None
    assert newest.name == "checkpoint-24"
    assert (kept / "result.json").read_text() == (tmp_path / "run" / "result.json").read_text()


def test_a_storage_is_filled_and_read_without_what_is_incomplete(tmp_path: Path) -> None:
    from fsspec.implementations.local import LocalFileSystem

    from adapt_core.run_folder.checkpoints import claim_checkpoint, seal
    from adapt_core.run_folder.ownership import Ownership

    from adapt_ray.storage import Storage

    first, second = tmp_path / "first" / "run", tmp_path / "second" / "run"
    for folder in (first, second):
        folder.mkdir(parents=True)
    for step in (1, 2, 3):
        checkpoint = first / "checkpoints" / f"checkpoint-{step}"
        claim_checkpoint(checkpoint)
        (checkpoint / "weights").write_bytes(bytes([step]) * 9)
        if step < 3:
            seal(checkpoint)
    storage = Storage(LocalFileSystem(), str(tmp_path / "storage" / "run"), first)
    storage.store_checkpoints()
    assert storage.run() == Ownership.of(first).run
    stored = tmp_path / "storage" / "run" / "checkpoints"
    assert sorted(path.name for path in stored.iterdir()) == ["checkpoint-1", "checkpoint-2"]
    Storage(LocalFileSystem(), str(tmp_path / "storage" / "run"), second).fetch()
    assert [path.name for path in (second / "checkpoints").iterdir()] == ["checkpoint-2"]
    assert fault(second / "checkpoints" / "checkpoint-2") is None
    assert Ownership.of(second).run == Ownership.of(first).run
    shutil.rmtree(first / "checkpoints" / "checkpoint-1")
    storage.store_checkpoints()
    assert sorted(path.name for path in stored.iterdir()) == ["checkpoint-2"]


def test_another_run_of_the_same_name_is_not_replaced(keys: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "storage" / "run"
    other.mkdir(parents=True)
    (other / ".adapt-run.json").write_text('{"run": "0123456789ab"}')
    with pytest.raises(InputError, match="ray_storage_path has another run named run"):
        adapt_core.run({**keys, "ray_storage_path": str(tmp_path / "storage")})
    assert (other / ".adapt-run.json").exists()
