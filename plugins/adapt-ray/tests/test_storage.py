"""ray_storage_path: the run folder in a storage too, from which the run goes on elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

import adapt_core
from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.run_folder.checkpoints import claim_checkpoint, fault, newest_complete, seal
from adapt_core.run_folder.ownership import Ownership

from .conftest import equal_weights
from adapt_ray.storage import Storage, stored

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


class Interfering(LocalFileSystem):
    """A storage whose first write of a checkpoint's weights happens while the run deletes that checkpoint."""

    cachable = False

    def __init__(self, deleted: list[Path]) -> None:
        super().__init__()
        self.deleted = deleted

    def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
        if self.deleted:
            shutil.rmtree(self.deleted.pop())
        super().put_file(lpath, rpath, **kwargs)


def sealed(run: Path, *steps: int) -> None:
    """Write complete checkpoints into a run folder."""
    for step in steps:
        checkpoint = run / "checkpoints" / f"checkpoint-{step}"
        claim_checkpoint(checkpoint)
        for name in ("weights", "optimizer"):
            (checkpoint / name).write_bytes(bytes([step]) * 9)
        seal(checkpoint)


def test_a_checkpoint_that_is_deleted_while_it_is_copied_leaves_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    sealed(run, 1, 2)
    files = Interfering([run / "checkpoints" / "checkpoint-1"])
    Storage(files, str(tmp_path / "storage" / "run"), run).store_checkpoints()
    stored = tmp_path / "storage" / "run" / "checkpoints"
    assert [path.name for path in stored.iterdir()] == ["checkpoint-2"]
    assert fault(stored / "checkpoint-2") is None


def test_what_a_killed_run_left_in_the_storage_is_deleted_and_whole_copies_stay(tmp_path: Path) -> None:
    run, stored = tmp_path / "run", tmp_path / "storage" / "run" / "checkpoints"
    run.mkdir()
    sealed(run, 1, 2)
    Storage(LocalFileSystem(), str(tmp_path / "storage" / "run"), run).store_checkpoints()
    (stored / "checkpoint-9").mkdir()
    (stored / "checkpoint-9" / "weights").write_bytes(b"half")
    (stored / "checkpoint-1" / "manifest.json").unlink()
    before = (stored / "checkpoint-2" / "weights").stat().st_mtime_ns
    Storage(LocalFileSystem(), str(tmp_path / "storage" / "run"), run).store_checkpoints()
    assert sorted(path.name for path in stored.iterdir()) == ["checkpoint-1", "checkpoint-2"]
    assert [fault(path) for path in stored.iterdir()] == [None, None]
    assert (stored / "checkpoint-2" / "weights").stat().st_mtime_ns == before


class Refusing(LocalFileSystem):
    """A storage that refuses its first writes as an object store does, which is no OSError."""

    protocol = "refusing"
    cachable = False
    refusals = 3

    def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
        if Refusing.refusals:
            Refusing.refusals -= 1
            raise ValueError("SlowDown")
        super().put_file(lpath, rpath, **kwargs)


def test_a_storage_that_refuses_for_a_while_is_told_of_and_tried_again(
    keys: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import fsspec

    fsspec.register_implementation("refusing", Refusing, clobber=True)
    plan = adapt_core.check({**keys, "ray_storage_path": f"refusing://{tmp_path}/storage"})
    run = tmp_path / "run"
    run.mkdir()
    with stored(plan, f"refusing://{tmp_path}/storage"):
        sealed(run, 1)
        end = time.monotonic() + 60
        while not (tmp_path / "storage" / "run" / "checkpoints" / "checkpoint-1" / "manifest.json").is_file():
            assert time.monotonic() < end
            time.sleep(0.05)
    assert caplog.text.count("cannot be written to now: SlowDown") == 1
    assert fault(tmp_path / "storage" / "run" / "checkpoints" / "checkpoint-1") is None


def test_another_run_of_the_same_name_is_not_replaced(keys: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "storage" / "run"
    other.mkdir(parents=True)
    (other / ".adapt-run.json").write_text('{"run": "0123456789ab"}')
    with pytest.raises(InputError, match="ray_storage_path has another run named run"):
        adapt_core.run({**keys, "ray_storage_path": str(tmp_path / "storage")})
    assert (other / ".adapt-run.json").exists()
