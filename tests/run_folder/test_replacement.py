"""A run takes another's place: at each moment the one or the other is whole, and nothing else goes with them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.run_folder.claims import claim, placed_folder
from adapt_core.run_folder.names import MARKER
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import decide_resume, entered, restoring

from .test_ownership import begin, finish, finished, snapshot
from .test_run_folder import checkpoint, plan, result


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.path.mkdir()
    return made


def test_the_replaced_run_is_deleted_when_the_new_one_has_finished(folder: RunFolder) -> None:
    finished(folder)
    begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))
    assert [path.name for path in folder.path.glob(".replaced-*")]
    assert not folder.model.exists()
    finish(folder, b"new")
    assert not list(folder.path.glob(".replaced-*"))
    assert (folder.model / "model.pt").read_bytes() == b"new"


def fail_in(folder: RunFolder, overwriting: Plan, *steps: Callable[[], object]) -> None:
    with entered(overwriting, folder), restoring(folder):
        decide_resume(overwriting, folder).begin(overwriting)
        for step in steps:
            step()
        raise KeyboardInterrupt


def test_a_failed_replacement_leaves_the_earlier_run(folder: RunFolder) -> None:
    finished(folder)
    before = snapshot(folder.path)
    with pytest.raises(KeyboardInterrupt):
        fail_in(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True), lambda: claim(folder.path, "evaluation.json"))
    assert snapshot(folder.path) == before
    assert folder.finished() is not None


def test_a_killed_replacement_is_put_back_by_the_next_run(folder: RunFolder) -> None:
    finished(folder)
    begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))  # and here it is killed
    assert folder.finished() is None
    with entered(plan(folder.path), folder), pytest.raises(InputError, match="finished run"):
        decide_resume(plan(folder.path), folder)
    assert (folder.model / "model.pt").read_bytes() == b"weights"


def test_a_replacement_with_a_checkpoint_can_be_resumed_and_keeps_the_earlier_run(folder: RunFolder) -> None:
    finished(folder)
    with pytest.raises(KeyboardInterrupt):
        fail_in(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True), lambda: checkpoint(folder, 3))
    (kept,) = folder.path.glob(".replaced-*")
    assert RunFolder(kept).finished() is not None
    with entered(plan(folder.path, resume=True), folder):
        assert decide_resume(plan(folder.path, resume=True), folder).checkpoint == folder.checkpoints / "checkpoint-3"


def test_a_move_that_was_killed_halfway_is_taken_back(folder: RunFolder) -> None:
    finished(folder)
    before = snapshot(folder.path)
    begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))
    (aside,) = folder.path.glob(".replaced-*")
    record = json.loads((folder.path / MARKER).read_text())
    (folder.path / MARKER).write_text(json.dumps({**record, "moving": True}))
    (aside / "README.md").rename(folder.card)
    assert Ownership.of(folder.path).unclaimed() == []
    with entered(plan(folder.path, resume=True), folder):
        pass
    assert snapshot(folder.path) == before


def test_a_file_whose_place_was_taken_is_put_back_when_it_is_free(
    folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    finished(folder)
    before = snapshot(folder.path)
    begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))  # and here it is killed
    folder.card.write_text("mine")
    with (
        pytest.raises(InputError, match=r"not written by a run of adapt .*: README\.md"),
        entered(plan(folder.path), folder),
    ):
        pass
    assert "README.md stays in" in caplog.text
    assert folder.card.read_text() == "mine"
    folder.card.unlink()
    with entered(plan(folder.path, resume=True), folder):
        pass
    assert snapshot(folder.path) == before
    assert not list(folder.path.glob(".replaced-*"))
    assert Ownership.of(folder.path).unclaimed() == []


def test_what_somebody_put_to_the_replaced_run_is_kept(folder: RunFolder, caplog: pytest.LogCaptureFixture) -> None:
    finished(folder)
    begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))
    (aside,) = folder.path.glob(".replaced-*")
    (aside / "model" / "notes.txt").write_text("mine")
    finish(folder, b"new")
    assert snapshot(aside) == {"model/notes.txt": b"mine"}
    assert "has files that no run of adapt wrote" in caplog.text


def test_a_saved_folder_takes_the_place_of_the_run_s_own_alone(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    for content in ("1", "2"):
        with placed_folder(folder.path, "model") as temporary:
            (temporary / content).write_text(content)
        assert snapshot(folder.model) == {content: content.encode()}
    with placed_folder(folder.path, "adapter"):
        pass
    assert not folder.adapter.exists()
    (folder.model / "notes.txt").write_text("mine")
    before = snapshot(folder.path)
    with pytest.raises(InputError, match=r"model/notes\.txt"), placed_folder(folder.path, "model") as temporary:
        (temporary / "3").write_text("3")
    assert snapshot(folder.path) == before


def test_a_resume_says_before_it_trains_what_it_could_not_save(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    checkpoint(folder, 1)
    with placed_folder(folder.path, "model") as temporary:
        (temporary / "model.pt").write_bytes(b"weights")
    (folder.model / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"model/notes\.txt"):
        decide_resume(plan(folder.path, resume=True), folder)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_named_checkpoint_of_a_finished_run_goes_on_elsewhere(
    folder: RunFolder, tmp_path: Path, overwrite: bool
) -> None:
    begin(folder, plan(folder.path))
    path = checkpoint(folder, 1)
    finish(folder)
    before = snapshot(folder.path)
    keys: dict[str, Any] = {"RESUME_FROM_CHECKPOINT": str(path), "OVERWRITE_OUTPUT_DIR": overwrite}
    with pytest.raises(InputError, match="is of the finished run in OUTPUT_DIR"):
        begin(folder, plan(folder.path, **keys))
    assert snapshot(folder.path) == before
    other = RunFolder(tmp_path / "other")
    other.path.mkdir()
    begin(other, plan(other.path, **keys))
    assert other.started()


def test_a_named_checkpoint_replaces_a_finished_run_only_where_asked(folder: RunFolder, tmp_path: Path) -> None:
    origin = RunFolder(tmp_path / "origin")
    origin.path.mkdir()
    begin(origin, plan(origin.path))
    path = checkpoint(origin, 1)
    begin(folder, plan(folder.path, LR=0.5))
    finish(folder)
    before = snapshot(folder.path)
    with pytest.raises(InputError, match=r"holds a finished run.*OVERWRITE_OUTPUT_DIR=true"):
        begin(folder, plan(folder.path, RESUME_FROM_CHECKPOINT=str(path)))
    assert snapshot(folder.path) == before
    begin(folder, plan(folder.path, RESUME_FROM_CHECKPOINT=str(path), OVERWRITE_OUTPUT_DIR=True))
    (aside,) = folder.path.glob(".replaced-*")
    assert (aside / "model" / "model.pt").read_bytes() == b"weights"
    finish(folder, b"new")
    assert not aside.exists()


@pytest.fixture
def mounted() -> Iterator[Callable[[Path], None]]:
    """Makes a folder a file system of its own, with what is in it."""
    made: list[Path] = []

    def mount(path: Path) -> None:
        kept = shutil.copytree(path, path.parent.parent / f"kept-{path.name}")
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"needs to mount: {done.stderr.strip()}")
        made.append(path)
        shutil.copytree(kept, path, dirs_exist_ok=True)

    if shutil.which("mount") is None:
        pytest.skip("needs the command mount")
    yield mount
    for path in made:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.parametrize("name", ["model", "checkpoints"])
def test_a_run_with_a_mount_point_is_not_replaced(
    folder: RunFolder, mounted: Callable[[Path], None], name: str
) -> None:
    begin(folder, plan(folder.path))
    checkpoint(folder, 1)
    with placed_folder(folder.path, "model") as temporary:
        (temporary / "model.pt").write_bytes(b"weights")
    mounted(folder.path / name)
    if name == "model":
        with pytest.raises(InputError, match="model is a mount point"):
            decide_resume(plan(folder.path, resume=True), folder)
    claim(folder.path, "result.json")
    folder.result.write_text(result(folder.path).to_json())
    before = snapshot(folder.path)
    with pytest.raises(InputError, match=rf"{name}.*(is a mount point|cannot be replaced)"):
        begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))
    assert snapshot(folder.path) == before
    assert not list(folder.path.glob(".replaced-*"))


def test_a_mounted_model_is_no_place_for_a_new_run(folder: RunFolder, mounted: Callable[[Path], None]) -> None:
    folder.model.mkdir()
    mounted(folder.model)
    with pytest.raises(InputError, match=r"not written by a run of adapt.*: model"):
        begin(folder, plan(folder.path))
