"""Only what a run is known to have written is replaced or deleted; a failed replacement leaves the earlier run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.run_folder.checkpoints import claim_checkpoint, prune, seal
from adapt_core.run_folder.claims import claim, complete
from adapt_core.run_folder.inputs import digest_inputs, refuse_overlap
from adapt_core.run_folder.names import MARKER, NAMES
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.predictions import fresh_predictions, seal_predictions
from adapt_core.run_folder.resume import decide_resume, entered

from .test_run_folder import checkpoint, plan, result


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.path.mkdir()
    return made


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name, without the record of what a run wrote."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != MARKER)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def begin(folder: RunFolder, plan: Plan) -> None:
    with entered(plan, folder):
        decide_resume(plan, folder).begin(plan)


def finish(folder: RunFolder, weights: bytes = b"weights") -> None:
    claim(folder.path, "model", "README.md", "result.json")
    folder.model.mkdir(exist_ok=True)
    (folder.model / "model.pt").write_bytes(weights)
    Ownership.of(folder.path).seal("model")
    folder.card.write_text("card")
    folder.result.write_text(result(folder.path).to_json())
    complete(folder.path)


def finished(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    finish(folder)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"OVERWRITE_OUTPUT_DIR": True}])
def test_what_no_run_wrote_is_refused_by_name(folder: RunFolder, name: str, how: dict[str, Any]) -> None:
    (folder.path / name).write_text("mine")
    with pytest.raises(InputError, match=name), entered(plan(folder.path, **how), folder):
        pass
    assert snapshot(folder.path) == {name: b"mine"}


@pytest.mark.parametrize("name", ["model", "checkpoints", "README.md", ".adapt-run.json", ".adapt-run.lock"])
def test_nothing_is_written_through_a_link(folder: RunFolder, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (folder.path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=name), folder.locked(), entered(plan(folder.path), folder):
        pass
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.mark.parametrize("name", ["model/notes.txt", "checkpoints/checkpoint-9/mine.bin", "samples"])
def test_a_file_of_somebody_else_in_a_run_keeps_the_run(folder: RunFolder, name: str) -> None:
    finished(folder)
    (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
    (folder.path / name).write_text("mine")
    before = snapshot(folder.path)
    with pytest.raises(InputError, match=name.partition("/")[0]):
        begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))
    assert snapshot(folder.path) == before


def test_a_changed_file_of_a_run_is_somebody_elses(folder: RunFolder) -> None:
    finished(folder)
    folder.card.write_text("my own text")
    with pytest.raises(InputError, match=r"README\.md \(changed\)"):
        begin(folder, plan(folder.path, OVERWRITE_OUTPUT_DIR=True))


def test_pruning_touches_only_checkpoints_of_the_run_and_only_its_files(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    for step in (1, 2, 3):
        checkpoint(folder, step)
    mine = folder.checkpoints / "checkpoint-1-mine"
    mine.mkdir()
    (mine / "a.bin").write_text("mine")
    (folder.checkpoints / "checkpoint-2" / "notes.txt").write_text("mine")
    for _ in range(2):
        prune(folder.checkpoints, keep=1, best=None)
    assert set(snapshot(folder.checkpoints)) == {
        "checkpoint-1-mine/a.bin",
        "checkpoint-2/manifest.json",
        "checkpoint-2/notes.txt",
        *(f"checkpoint-3/{name}" for name in ("manifest.json", "model.safetensors", "trainer_state.json")),
    }


def test_pruning_spares_the_best(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    made = [checkpoint(folder, step) for step in (1, 2, 3)]
    prune(folder.checkpoints, keep=2, best=made[0])
    assert [path.exists() for path in made] == [True, False, True]


def test_the_folder_must_be_apart_from_data_and_model(tmp_path: Path) -> None:
    (tmp_path / "data" / "cats").mkdir(parents=True)
    (tmp_path / "data" / "cats" / "1.jpg").write_text("")
    (tmp_path / "runs" / "a" / "model").mkdir(parents=True)
    keys = {"CUSTOM_DATASET_PATH": str(tmp_path / "data"), "MODEL_PATH": str(tmp_path / "runs" / "a" / "model")}
    for output, words in (
        ("data", "is CUSTOM_DATASET_PATH"),
        ("data/cats", "folder of the data"),
        ("runs/a", "write over MODEL_PATH"),
        ("runs/a/model/x", "inside MODEL_PATH"),
    ):
        with pytest.raises(InputError, match=words):
            refuse_overlap(plan(tmp_path / output, **keys))
    for output in ("runs/b", "data/run", "."):
        refuse_overlap(plan(tmp_path / output, **keys))


def test_a_resume_notices_changed_data_and_base(folder: RunFolder, tmp_path: Path) -> None:
    data, base = tmp_path / "rows.csv", tmp_path / "base"
    data.write_text("text,label\na,x\n")
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"0" * 100)
    keys = {"CUSTOM_DATASET_PATH": str(data), "MODEL_PATH": str(base)}
    begin(folder, plan(folder.path, **keys))
    checkpoint(folder, 1)
    again = plan(folder.path, resume=True, **keys)
    os.utime(data)
    assert decide_resume(again, folder).checkpoint is not None
    stamp = data.stat()
    data.write_text("text,label\na,y\n")
    os.utime(data, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (base / "model.safetensors").write_bytes(b"1" * 100)
    with pytest.raises(InputError, match=r"data \(.*rows\.csv\) has changed; the base model .*RESUME_WITH_CHANGES"):
        decide_resume(again, folder)
    allowed = plan(folder.path, resume=True, RESUME_WITH_CHANGES=True, **keys)
    assert decide_resume(allowed, folder).checkpoint is not None


def test_run_folders_are_no_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("text,label\n")
    Ownership(RunFolder(tmp_path / "data" / "run").path)
    (tmp_path / "data" / "run").mkdir()
    claim(tmp_path / "data" / "run", "metrics.jsonl")
    (tmp_path / "data" / "run" / "metrics.jsonl").write_text("{}")
    found = digest_inputs(plan(tmp_path / "out", CUSTOM_DATASET_PATH=str(tmp_path / "data")))
    assert list(found["data"]) == ["CUSTOM_DATASET_PATH/train.csv"]


def test_a_checkpoint_of_another_run_is_refused(folder: RunFolder, tmp_path: Path) -> None:
    begin(folder, plan(folder.path, LR=1e-3))
    path = checkpoint(folder, 1)
    other = RunFolder(tmp_path / "other")
    other.path.mkdir()
    with pytest.raises(InputError, match=r"LR: 0\.001 -> 0\.5"):
        decide_resume(plan(other.path, LR=0.5, RESUME_FROM_CHECKPOINT=str(path)), other)
    begin(other, plan(other.path, LR=1e-3))
    with pytest.raises(InputError, match="is of another run"):
        decide_resume(plan(other.path, LR=1e-3, RESUME_FROM_CHECKPOINT=str(path)), other)


@pytest.mark.parametrize("content", ["", "TASK: words\n", "{", "LR: 0.1\nTASK: words\nmethod: full\n"])
def test_a_changed_config_of_a_run_is_noticed(folder: RunFolder, content: str) -> None:
    begin(folder, plan(folder.path))
    checkpoint(folder, 1)
    folder.config.write_text(content)
    with pytest.raises(InputError, match=r"config\.yaml has changed"):
        decide_resume(plan(folder.path, resume=True), folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evaluation.json", b'{"before": {"samp'),
        ("evaluation.json", b"[1]"),
        ("evaluation.json", b"\xff\xfe"),
        ("metrics.jsonl", b"[]\n{}\n{}\n"),
        ("metrics.jsonl", b'{"phase": "train"}\n{"phase": "train", "step": "one"}\n{}\n'),
        ("metrics.jsonl", b"\xff\n"),
    ],
)
def test_a_broken_file_is_found_at_the_start_of_a_resume(folder: RunFolder, name: str, content: bytes) -> None:
    begin(folder, plan(folder.path))
    checkpoint(folder, 1)
    claim(folder.path, name)
    (folder.path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        decide_resume(plan(folder.path, resume=True), folder)


def test_predictions_of_an_earlier_call_do_not_stay(folder: RunFolder, tmp_path: Path) -> None:
    finished(folder)
    first = fresh_predictions(folder.path, [tmp_path / "a.jpg"])
    (first / "a.png").write_text("")
    seal_predictions(folder.path)
    with pytest.raises(InputError, match=r"to another folder|elsewhere"):
        fresh_predictions(folder.path, [first / "a.png"])
    assert not list(fresh_predictions(folder.path, [tmp_path / "b.jpg"]).iterdir())
    seal_predictions(folder.path)
    (first / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"predictions/mine\.txt"):
        fresh_predictions(folder.path, [tmp_path / "b.jpg"])


def test_an_unreadable_record_is_refused(folder: RunFolder) -> None:
    (folder.path / ".adapt-run.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="cannot be read"), entered(plan(folder.path), folder):
        pass


def test_an_incomplete_checkpoint_of_the_run_is_written_again(folder: RunFolder) -> None:
    begin(folder, plan(folder.path))
    path = checkpoint(folder, 1, sealed=False)
    claim_checkpoint(path)
    assert list(path.iterdir()) == []
    seal(path)


@pytest.mark.parametrize(
    "change",
    [
        {"written": {"../outside": None}},
        {"written": {"notes.txt": None}},
        {"written": {"checkpoints/../../outside": None}},
        {"run": "../../outside"},
    ],
)
def test_a_record_from_elsewhere_names_nothing_but_what_runs_write(folder: RunFolder, change: dict[str, Any]) -> None:
    finished(folder)
    record = json.loads((folder.path / MARKER).read_text())
    (folder.path / MARKER).write_text(json.dumps({**record, **change}))
    with pytest.raises(InputError, match="is not a name that a run writes"):
        Ownership.read(folder.path)


def test_files_outside_of_a_folder_stay_whatever_a_record_lists(folder: RunFolder, tmp_path: Path) -> None:
    finished(folder)
    outside = tmp_path / "mine" / "thesis.txt"
    outside.parent.mkdir()
    outside.write_text("mine")
    (folder.model / "link").symlink_to(outside.parent)
    saved = folder.checkpoints / "checkpoint-1"
    saved.mkdir(parents=True)
    (saved / "manifest.json").write_text(json.dumps({"files": {"../../../mine/thesis.txt": 4}}))
    owner = Ownership.of(folder.path)
    owner.written |= {
        "model": {"../../mine/thesis.txt": [4, ""], "link/thesis.txt": [4, ""], str(outside): [4, ""]},
        "checkpoints/checkpoint-1": None,
    }
    owner.remove_written()
    assert outside.read_text() == "mine"
    assert not saved.exists()
