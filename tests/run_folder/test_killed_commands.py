"""What a killed command had announced and not yet put into place is not the run's, and what it left is deleted."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError
from adapt_core.run_folder.checkpoints import claim_checkpoint
from adapt_core.run_folder.claims import make_empty_file, make_empty_folder, place_text, placed_folder, refuse
from adapt_core.run_folder.files import atomic_folder
from adapt_core.run_folder.names import MARKER
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import decide_resume, entered

from .test_ownership import begin, snapshot
from .test_run_folder import checkpoint, plan

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks processes")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.path.mkdir()
    return made


class _Armed:
    """Acts right before something is renamed to `name`; renames of the record itself do not count."""

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        self._name, self._act = name, act

    def __call__(self, event: str, arguments: Any) -> None:
        if event == "os.rename" and Path(os.fsdecode(arguments[1])).name == self._name:
            self._act()


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    raise KeyboardInterrupt


def status_of(name: str, act: Callable[[], None], before: Callable[[], None]) -> int:
    """Run a function in a process of its own, and another one right before something is renamed to `name`.

    Returns:
        the status that `os.waitpid` gives; the exit code is 7 after an exception, whose traceback is printed.
    """
    child = os.fork()
    if not child:
        sys.addaudithook(_Armed(name, before))
        code = 7
        try:
            act()
            code = 0
        except BaseException:  # noqa: BLE001 - it must not reach pytest, which goes on in the parent
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def killed_before(name: str, act: Callable[[], None]) -> None:
    """Run a function in a process that is killed right before something is renamed to `name`."""
    assert os.WIFSIGNALED(status_of(name, act, kill))


def write_model(folder: Path) -> None:
    with placed_folder(folder, "model") as temporary:
        (temporary / "model.pt").write_bytes(b"weights")


WRITES: dict[str, Callable[[Path], None]] = {
    "metrics.jsonl": lambda folder: make_empty_file(folder, "metrics.jsonl"),
    "log.txt": lambda folder: make_empty_file(folder, "log.txt"),
    "evaluation.json": lambda folder: place_text(folder, "evaluation.json", "{}"),
    "result.json": lambda folder: place_text(folder, "result.json", "{}"),
    "tensorboard": lambda folder: make_empty_folder(folder, "tensorboard"),
    "predictions": lambda folder: make_empty_folder(folder, "predictions"),
    "model": write_model,
    "checkpoint-5": lambda folder: claim_checkpoint(folder / "checkpoints" / "checkpoint-5"),
}


def hidden(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob(".*") if path.name not in (MARKER, ".adapt-run.lock")}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_a_name_that_was_only_announced_is_somebody_else_s(folder: RunFolder, name: str, is_folder: bool) -> None:
    Ownership(folder.path).claim("checkpoints")
    (folder.path / "checkpoints").mkdir()
    killed_before(name, lambda: WRITES[name](folder.path))
    assert hidden(folder.path)
    place = (folder.path / "checkpoints" if name == "checkpoint-5" else folder.path) / name
    (place / "mine.txt" if is_folder else place).parent.mkdir(exist_ok=True, parents=True)
    (place / "mine.txt" if is_folder else place).write_text("mine")
    with pytest.raises(InputError, match=name), folder.locked(), entered(plan(folder.path, resume=True), folder):
        refuse(folder.path, Ownership.of(folder.path).foreign())
    assert hidden(folder.path) == set()
    assert {key: text for key, text in snapshot(folder.path).items() if text == b"mine"}.keys() == {
        str((place / "mine.txt" if is_folder else place).relative_to(folder.path))
    }


@pytest.mark.parametrize("name", WRITES)
def test_what_has_its_place_is_the_run_s_though_the_record_says_it_is_to_come(folder: RunFolder, name: str) -> None:
    Ownership(folder.path).claim("checkpoints")
    (folder.path / "checkpoints").mkdir()
    record = (folder.path / MARKER).read_bytes()
    killed_before(name, lambda: WRITES[name](folder.path))
    owner = Ownership.of(folder.path)
    ((listed, placement),) = owner.placements.items()
    os.replace(placement.path(folder.path, listed), folder.path / listed)
    assert (folder.path / MARKER).read_bytes() != record
    with folder.locked(), entered(plan(folder.path, resume=True), folder):
        assert listed in Ownership.of(folder.path).written
    assert hidden(folder.path) == set()


@pytest.mark.parametrize("name", WRITES)
def test_a_name_whose_writing_was_interrupted_is_not_the_run_s(folder: RunFolder, name: str) -> None:
    Ownership(folder.path).claim("checkpoints")
    (folder.path / "checkpoints").mkdir()
    status = status_of(name, lambda: WRITES[name](folder.path), interrupt)
    assert os.waitstatus_to_exitcode(status) == 7
    assert hidden(folder.path) == set()
    owner = Ownership.of(folder.path)
    assert owner.placements == {}
    assert owner.written.keys() == {"checkpoints"}
    WRITES[name](folder.path)
    assert len(Ownership.of(folder.path).written) == 2


def test_a_name_that_cannot_be_taken_is_not_the_run_s(folder: RunFolder) -> None:
    (folder.path / "result.json").mkdir()
    hidden_file = folder.path / ".result.json.abcdefgh"
    hidden_file.write_text("{}")
    with pytest.raises(IsADirectoryError):
        Ownership(folder.path).place("result.json", hidden_file, {"": [2, "0" * 32]})
    hidden_file.unlink()
    assert Ownership.of(folder.path).written == {}


def test_a_kill_while_metrics_are_rewound_leaves_them_and_nothing_hidden(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    lines = "".join(f'{{"phase": "train", "step": {step}, "loss": 1.0}}\n' for step in (1, 2, 3))
    folder.metrics.write_text(lines)
    killed_before("metrics.jsonl", lambda: folder.rewind_metrics(2))
    assert len(hidden(folder.path)) == 1
    with folder.locked(), entered(plan(folder.path, resume=True), folder):
        pass
    assert hidden(folder.path) == set()
    assert folder.metrics.read_text() == lines
    folder.rewind_metrics(2)
    assert [line["step"] for line in folder.metric_lines()] == [1, 2]
    with folder.metrics.open("a") as file:  # as the resumed run does
        file.write(lines)
    assert Ownership.of(folder.path).foreign() == []


def test_a_later_kill_leaves_what_an_earlier_command_wrote(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    place_text(folder.path, "evaluation.json", '{"before": {}}')
    checkpoint(folder, 1)
    write_model(folder.path)
    before = snapshot(folder.path)
    killed_before("evaluation.json", lambda: place_text(folder.path, "evaluation.json", "{}"))
    with folder.locked(), entered(plan(folder.path, resume=True), folder):
        decision = decide_resume(plan(folder.path, resume=True), folder)
    assert decision.checkpoint == folder.checkpoints / "checkpoint-1"
    assert snapshot(folder.path) == before


def test_a_half_written_folder_goes_and_hidden_ones_of_somebody_else_stay(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))

    def fill() -> None:
        with placed_folder(folder.path, "model") as temporary:
            (temporary / "half.bin").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    killed_before("nothing", fill)
    for name in (".model.abcdefgh", "..adapt-run.json.abcdefgh", ".config.yaml.abcdefgh"):
        (folder.path / name).write_text("mine")
    (folder.path / "..adapt-run.json.12345678").write_bytes((folder.path / MARKER).read_bytes()[:40])
    (folder.path / "..adapt-run.json.87654321").write_bytes(b"")
    assert len(hidden(folder.path)) == 6
    with folder.locked(), entered(plan(folder.path, resume=True), folder):
        pass
    assert hidden(folder.path) == {".model.abcdefgh", "..adapt-run.json.abcdefgh", ".config.yaml.abcdefgh"}


def test_a_record_from_elsewhere_deletes_nothing_of_another_name(folder: RunFolder) -> None:
    Ownership(folder.path).save()
    killed_before("model", lambda: write_model(folder.path))
    record = folder.path / MARKER
    ((_, placement),) = Ownership.of(folder.path).placements.items()
    for name in ("../mine", ".ssh", ".model.abcdefgh/../../mine", ".adapter.abcdefgh"):
        record.write_text(record.read_text().replace(placement.hidden, name))
        with pytest.raises(InputError, match="is not a name that a run writes"):
            Ownership.of(folder.path)
        record.write_text(record.read_text().replace(name, placement.hidden))


def test_an_export_deletes_what_a_killed_one_to_the_same_place_left(tmp_path: Path) -> None:
    place = tmp_path / "exported"
    mine = tmp_path / ".exported.abcdefgh"
    mine.mkdir()
    (mine / "mine.txt").write_text("mine")

    def fill() -> None:
        with atomic_folder(place) as temporary:
            (temporary / "half.bin").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    killed_before("nothing", fill)
    assert len(hidden(tmp_path)) == 3  # with the file that the living process had locked
    with atomic_folder(place) as first:
        (first / "model.pt").write_bytes(b"weights")
        assert set(tmp_path.iterdir()) == {mine, first}
        with atomic_folder(place) as second:  # another command, while the first is at work
            assert first.is_dir()
        assert first.is_dir()
        assert not second.exists()
        place.rmdir()
    assert snapshot(place) == {"model.pt": b"weights"}
    assert snapshot(mine) == {"mine.txt": b"mine"}
