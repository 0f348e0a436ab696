"""Checkpoints written in the background: in order, one at a time, and what fails is told."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from adapt_core.run_folder.background import BackgroundWriter


def test_parts_are_written_in_order_behind_the_back_of_the_caller() -> None:
    writer, go, written = BackgroundWriter(), threading.Event(), list[str]()
    writer.add(lambda: written.append("weights") if go.wait(60) else None)
    writer.add(lambda: written.append("manifest"))
    assert written == []
    writer.launch()
    assert written == []
    go.set()
    writer.wait()
    assert written == ["weights", "manifest"]


def test_one_checkpoint_is_in_flight_and_the_next_waits_for_it() -> None:
    writer, go, written = BackgroundWriter(), threading.Event(), list[int]()
    writer.add(lambda: written.append(1) if go.wait(60) else None)
    writer.launch()
    threading.Timer(0.2, go.set).start()
    writer.add(lambda: written.append(2))
    writer.launch()
    assert written[0] == 1
    writer.wait()
    assert written == [1, 2]


def test_without_a_background_it_is_written_at_once() -> None:
    writer, written = BackgroundWriter(enabled=False), list[int]()
    writer.add(lambda: written.append(1))
    assert written == [1]
    writer.launch()
    writer.wait()


def test_what_a_write_raised_is_raised_once_and_nothing_of_that_checkpoint_follows() -> None:
    writer, written = BackgroundWriter(), list[int]()

    def full() -> None:
        raise OSError(28, "No space left on device")

    writer.add(full)
    writer.add(lambda: written.append(1))
    writer.launch()
    with pytest.raises(OSError, match="No space left"):
        writer.wait()
    assert written == []
    writer.check()


def test_a_checkpoint_that_is_deleted_while_it_is_written_ends_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = tmp_path / "run" / "checkpoints" / "checkpoint-6"
    writer = BackgroundWriter()

    def write() -> None:
        checkpoint.mkdir(parents=True)
        shutil.rmtree(checkpoint.parent)  # somebody else
        (checkpoint / "weights").write_bytes(b"")

    writer.add(write)
    writer.launch(checkpoint)
    writer.wait()
    assert "checkpoint-6 was deleted while it was written" in caplog.text

    shutil.rmtree(tmp_path / "run")

    def write_without_a_folder() -> None:
        (checkpoint / "weights").write_bytes(b"")

    writer.add(write_without_a_folder)
    writer.launch(checkpoint)
    with pytest.raises(FileNotFoundError):
        writer.wait()


@pytest.mark.parametrize(("alone", "expected"), [(True, [1]), (False, [])])
def test_where_training_fails_a_checkpoint_that_is_being_written_is_completed(alone: bool, expected: list[int]) -> None:
    writer, go, written = BackgroundWriter(), threading.Event(), list[int]()
    writer.add(lambda: written.append(1) if go.wait(60) else None)
    writer.launch()
    if alone:
        threading.Timer(0.2, go.set).start()
    with pytest.raises(ZeroDivisionError), writer.completed(alone=alone):
        raise ZeroDivisionError
    assert written == expected
    go.set()
