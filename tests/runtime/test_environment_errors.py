"""What the machine is to blame for is no defect: each error is a real one, as Python, numpy or torch raises it."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime import environment_errors
from adapt_core.runtime.environment_errors import environment_error, machine_error


def memory_of_python(_: Path) -> object:
    return bytearray(sys.maxsize)


def memory_of_numpy(_: Path) -> object:
    return pytest.importorskip("numpy").ones(1 << 57, dtype="uint8")


def memory_of_torch(_: Path) -> object:
    return pytest.importorskip("torch").empty(1 << 57, dtype=pytest.importorskip("torch").uint8)


def long_name(folder: Path) -> object:
    return (folder / ("n" * 5000)).read_text()


def circle(folder: Path) -> object:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return (folder / "a").read_text()


def full_device(_: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with open("/dev/full", "w", encoding="utf-8") as file:
        file.write("x")


def a_file_without_rights(folder: Path) -> object:
    (folder / "file").write_text("x")
    (folder / "file").chmod(0)
    if os.access(folder / "file", os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder / "file"))  # root may read all
    return (folder / "file").read_text()


@pytest.mark.parametrize(
    ("provoke", "told"),
    [
        (memory_of_python, "memory is used up"),
        (memory_of_numpy, "memory is used up"),
        (memory_of_torch, "memory is used up"),
        (long_name, "the name is too long"),
        (circle, "links lead in a circle"),
        (full_device, "no space is left on the disk"),
        (a_file_without_rights, "permission is denied"),
    ],
)
def test_the_machine_s_errors_are_told_as_such(tmp_path: Path, provoke: Callable[[Path], Any], told: str) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - each has a type of its own
        provoke(tmp_path)
    found = machine_error(raised.value)
    assert found is not None
    assert told in str(found)


def test_a_defect_stays_one() -> None:
    for error in (KeyError("x"), RuntimeError("shapes do not match"), FileNotFoundError(errno.ENOENT, "x", "y")):
        assert machine_error(error) is None


def explicit(error: OSError) -> None:
    raise RuntimeError("the file cannot be read") from error


def repeated(error: OSError) -> None:
    raise RuntimeError(f"while reading: {error}")


def set_aside(error: OSError) -> None:
    raise KeyError("a defect") from None


def by_the_way(error: OSError) -> None:
    {}["a defect"]


def without_text(error: OSError) -> None:
    try:
        raise OSError  # as some libraries do
    except OSError:
        raise RuntimeError("a defect")  # noqa: B904


@pytest.mark.parametrize(
    ("deal_with", "is_the_machine_s"),
    [(explicit, True), (repeated, True), (set_aside, False), (by_the_way, False), (without_text, False)],
)
def test_an_error_counts_only_as_the_reason_of_the_one_that_ended_all(
    tmp_path: Path, deal_with: Callable[[OSError], None], is_the_machine_s: bool
) -> None:
    def provoke() -> None:
        try:
            os.stat("x" * 10_000)
        except OSError as error:
            deal_with(error)

    with pytest.raises((KeyError, RuntimeError)) as raised:
        provoke()
    assert (machine_error(raised.value) is not None) == is_the_machine_s
    assert (environment_error(raised.value, RunFolder(tmp_path)) is not None) == is_the_machine_s


def test_another_killed_loading_process_does_not_cut_off_what_is_told_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGCHLD, lambda *_: pytest.fail("torch would raise here"))
    error = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
    find = environment_errors._reasons

    def one_more_dies(error: BaseException) -> Iterator[BaseException]:
        os.kill(os.getpid(), signal.SIGCHLD)
        return find(error)

    monkeypatch.setattr(environment_errors, "_reasons", one_more_dies)
    try:
        assert "a data-loading process was killed" in str(environment_error(error, RunFolder(tmp_path)))
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL  # nor does the next one cut off anything
        signal.signal(signal.SIGCHLD, heard := lambda *_: None)
        assert environment_error(ValueError("a defect"), RunFolder(tmp_path)) is None
        assert signal.getsignal(signal.SIGCHLD) is heard
    finally:
        signal.signal(signal.SIGCHLD, before)
