"""The files of what was kept: finished, shared, damaged, and a disk that has no room for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra adapt-core[hf]")

import torch

from adapt_core.hf.frozen.store import Files, make_room
from adapt_core.hf.frozen.values import Kept

VALUES = torch.arange(12.0).view(4, 3)


def files(folder: Path, rest: tuple[int, ...] = (3,)) -> Files:
    return Files(folder=folder / "key", kept=[Kept((0, 0), "row", rest, torch.float32)], rows=4, offsets=None)


def finished(folder: Path) -> Files:
    store = files(folder)
    part = store.begin()
    store.open(part).write(torch.arange(4), [VALUES])
    store.finish(part, {})
    return store


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_what_was_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.equal(finished(tmp_path / "one").open().read(torch.tensor([2, 0]))[0], VALUES[[2, 0]])
    monkeypatch.delattr("os.posix_fallocate", raising=False)  # as on macOS and Windows
    assert torch.equal(finished(tmp_path / "two").open().read(torch.tensor([2, 0]))[0], VALUES[[2, 0]])


@pytest.mark.usefixtures("umask")
@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_another_user_may_read_a_finished_store(tmp_path: Path) -> None:
    folder = finished(tmp_path).folder
    assert folder.stat().st_mode & 0o777 == 0o755
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in folder.iterdir())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom modes keep out")
def test_a_store_that_cannot_be_read_counts_as_absent(tmp_path: Path) -> None:
    store = finished(tmp_path)
    store.folder.chmod(0)
    assert not store.exist


def test_a_disk_without_room_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Errno"):
        files(tmp_path, (2**58,)).begin()
    assert not list(tmp_path.iterdir())


def test_a_second_run_that_finishes_the_same_store_gives_way(tmp_path: Path) -> None:
    part = files(tmp_path).begin()
    finished(tmp_path)
    files(tmp_path).finish(part, {})
    assert torch.equal(files(tmp_path).open().read(torch.arange(4))[0], VALUES)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_room_is_made_of_the_stores_used_longest_ago(tmp_path: Path) -> None:
    stores = [finished(tmp_path / str(number)) for number in range(3)]
    for number, store in enumerate(stores):
        store.folder.rename(tmp_path / f"key{number}")
        os.utime(tmp_path / f"key{number}" / "complete.json", (number, number))
    Files(folder=tmp_path / "key0", kept=stores[0].kept, rows=4, offsets=None).open()  # used now
    taken = sum(file.stat().st_size for file in (tmp_path / "key0").iterdir())
    make_room(tmp_path, 2 * taken)
    assert {path.name for path in tmp_path.glob("key*")} == {"key0", "key2"}
    make_room(tmp_path, 0)
    assert not list(tmp_path.glob("key*"))
