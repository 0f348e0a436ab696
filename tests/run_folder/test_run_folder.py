"""The run folder: admission, locks, whole checkpoints, whole files."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import InputError
from adapt_core.result import RunResult
from adapt_core.run_folder.checkpoints import (
    MANIFEST,
    StepShape,
    claim_checkpoint,
    fault,
    newest_complete,
    seal,
    step_shape,
)
from adapt_core.run_folder.claims import claim, place_text, placed_folder
from adapt_core.run_folder.files import atomic_folder, write_text
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import decide_resume

from .. import fakes


def plan(folder: Path, resume: bool = False, **keys: Any) -> Plan:
    config = {"TASK": "words", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", "OUTPUT_DIR": str(folder), **keys}
    return resolve(RunConfig.read(config), fakes.registry_with_all(), resume=resume)


def result(folder: Path) -> RunResult:
    empty: dict[str, Any] = {
        field.name: {} if "Mapping" in str(field.type) else "x" if field.type == "str" else 0
        for field in attrs.fields(RunResult)
        if field.name not in ("warnings", "verdict")
    }
    known: dict[str, Any] = {"status": "finished", "output_dir": str(folder)}
    known |= dict.fromkeys(("quantization", "merge", "soup"))
    known["training_check"] = {"verdict": "learned", "steps": 0}
    return RunResult(**{**empty, **known})


def checkpoint(folder: RunFolder, step: int, sealed: bool = True) -> Path:
    path = folder.checkpoints / f"checkpoint-{step}"
    claim_checkpoint(path)
    (path / "model.safetensors").write_bytes(os.urandom(1000))
    (path / "trainer_state.json").write_text("{}")
    if sealed:
        seal(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_an_empty_folder_admits_a_run(folder: RunFolder) -> None:
    folder.log.write_text("an earlier refusal")
    assert decide_resume(plan(folder.path), folder).checkpoint is None


def test_a_finished_run_is_not_overwritten_unasked(folder: RunFolder) -> None:
    folder.write_config(plan(folder.path))
    claim(folder.path, "result.json")
    folder.result.write_text(result(folder.path).to_json())
    with pytest.raises(InputError, match=r"finished run.*OVERWRITE_OUTPUT_DIR"):
        decide_resume(plan(folder.path), folder)
    assert decide_resume(plan(folder.path, OVERWRITE_OUTPUT_DIR=True), folder).finished is None
    assert decide_resume(plan(folder.path, resume=True), folder).finished == result(folder.path)


def test_an_unfinished_run_names_both_ways_out(folder: RunFolder) -> None:
    folder.write_config(plan(folder.path))
    with pytest.raises(InputError, match=r"--resume.*OVERWRITE_OUTPUT_DIR=true"):
        decide_resume(plan(folder.path), folder)


def test_overwriting_deletes_what_adapt_wrote_and_nothing_else(folder: RunFolder) -> None:
    folder.write_config(plan(folder.path))
    checkpoint(folder, 3)
    (folder.path / "mine.txt").write_text("keep me")
    overwriting = plan(folder.path, OVERWRITE_OUTPUT_DIR=True)
    decision = decide_resume(overwriting, folder)
    assert folder.checkpoints.exists()
    decision.begin(overwriting)
    assert not folder.checkpoints.exists()
    assert (folder.path / "mine.txt").read_text() == "keep me"


def test_resuming_takes_the_newest_complete_checkpoint_and_says_what_it_passed_over(
    folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_config(plan(folder.path))
    whole = checkpoint(folder, 20)
    checkpoint(folder, 40, sealed=False)
    (checkpoint(folder, 100) / "model.safetensors").write_bytes(b"cut")
    assert decide_resume(plan(folder.path, resume=True), folder).checkpoint == whole
    assert "checkpoint-100 is skipped: model.safetensors has 3 bytes instead of 1000" in caplog.text
    assert "checkpoint-40 is skipped: it has no manifest" in caplog.text


def test_resuming_nothing_starts_from_the_beginning_with_a_warning(
    folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    assert decide_resume(plan(folder.path, resume=True), folder).checkpoint is None
    assert "starts from the beginning" in caplog.text
    folder.write_config(plan(folder.path))
    assert decide_resume(plan(folder.path, resume=True), folder).checkpoint is None


def test_resuming_refuses_other_arithmetic_and_names_it(folder: RunFolder) -> None:
    folder.write_config(plan(folder.path, LR=0.1, SEED=1))
    with pytest.raises(InputError, match=r"LR: 0\.1 -> 0\.2; SEED: 1 -> 2"):
        decide_resume(plan(folder.path, resume=True, LR=0.2, SEED=2), folder)
    other = {"NUM_WORKERS": 1, "INTERVAL": "steps", "NO_OF_CHECKPOINTS": 1, "SAVE_METHOD": "safetensors"}
    assert decide_resume(plan(folder.path, resume=True, LR=0.1, SEED=1, **other), folder) is not None


def test_resuming_from_a_named_checkpoint(folder: RunFolder, tmp_path: Path) -> None:
    folder.write_config(plan(folder.path))
    first, second = checkpoint(folder, 1), checkpoint(folder, 2)
    assert decide_resume(plan(folder.path, RESUME_FROM_CHECKPOINT=str(first)), folder).checkpoint == first
    (second / "trainer_state.json").unlink()
    for path, message in (
        (second, "is missing"),
        (tmp_path / "absent", "not a directory"),
        (tmp_path, "not a checkpoint"),
    ):
        with pytest.raises(InputError, match=message):
            decide_resume(plan(folder.path, RESUME_FROM_CHECKPOINT=str(path)), folder)


def test_before_is_read_from_the_first_run(folder: RunFolder) -> None:
    folder.write_config(plan(folder.path))
    checkpoint(folder, 2)
    lines: list[dict[str, Any]] = [
        {"phase": "before", "step": 0, "epoch": 0.0, "loss": 2.0, "intervals": {"loss": [1.5, 2.5]}},
        {"phase": "train", "step": 2, "epoch": 1.0, "loss": 1.0},
        {"phase": "train", "step": 3, "epoch": 1.5, "loss": 0.9},
    ]
    claim(folder.path, "metrics.jsonl")
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"phase": "tra')
    resumed = plan(folder.path, resume=True)
    decision = decide_resume(resumed, folder)
    assert decision.before == {"loss": 2.0}
    decision.begin(resumed)
    assert folder.metric_lines() == lines[:2]


def test_any_change_of_a_sealed_checkpoint_is_found(folder: RunFolder) -> None:
    path = checkpoint(folder, 1)
    assert fault(path) is None
    content = bytearray((path / "model.safetensors").read_bytes())
    content[500] ^= 1
    (path / "model.safetensors").write_bytes(content)
    assert fault(path) == "model.safetensors has changed"
    (path / MANIFEST).write_text("{")
    assert "cannot be read" in str(fault(path))
    assert newest_complete(folder.checkpoints) is None


def hold(path: str, ready: Any, release: Any) -> None:
    with RunFolder(path).locked():
        ready.set()
        release.wait(30)


def test_two_runs_cannot_use_one_folder(folder: RunFolder) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(str(folder.path), ready, release))
    process.start()
    assert ready.wait(60)
    with pytest.raises(InputError, match="in use by another run"), folder.locked():
        pass
    release.set()
    process.join(30)
    with folder.locked():
        assert {path.name for path in folder.path.iterdir()} == {".adapt-run.lock"}
    assert not list(folder.path.iterdir())


def test_no_lock_touches_the_log_that_a_run_writes(folder: RunFolder) -> None:
    folder.log.write_text("what a run has said so far\n")
    with folder.locked(), pytest.raises(InputError, match="in use by another run"), folder.locked():
        pass
    assert folder.log.read_text() == "what a run has said so far\n"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        RunFolder(tmp_path / "file" / "run").prepare()


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "one")
    write_text(tmp_path / "a.txt", "two")
    assert (tmp_path / "a.txt").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644, "others cannot read it"


def fail_inside(target: Path) -> None:
    with atomic_folder(target) as temporary:
        (temporary / "half").write_text("")
        raise KeyboardInterrupt


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with atomic_folder(target) as temporary:
        (temporary / "weights").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fail_inside(target)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (target / "weights").read_text() == "old"


def test_the_stored_config_is_the_run_again(folder: RunFolder) -> None:
    first = plan(folder.path, method="LoRA", r=3, LR=1e-5)
    folder.write_config(first)
    again = resolve(RunConfig.read(folder.config), fakes.registry_with_all())
    assert again.config_sha256 == first.config_sha256
    assert again.output_dir == first.output_dir


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_files_have_the_permissions_of_the_umask(folder: RunFolder, mask: int) -> None:
    """Whatever library wrote them: safetensors 0.8 leaves its files to their owner alone."""

    def write_for_owner(path: Path) -> None:
        path.write_text("weights")
        path.chmod(0o600)

    earlier = os.umask(mask)
    try:
        place_text(folder.path, "README.md", "card")
        with placed_folder(folder.path, "model") as temporary:
            write_for_owner(temporary / "model.safetensors")
        with atomic_folder(folder.path / "exported") as temporary:
            write_for_owner(temporary / "model.safetensors")
        path = folder.checkpoints / "checkpoint-1"
        claim_checkpoint(path)
        write_for_owner(path / "model.safetensors")
        seal(path)
    finally:
        os.umask(earlier)
    found = {
        str(file.relative_to(folder.path)): oct(file.stat().st_mode & 0o777)
        for file in folder.path.rglob("*.*")
        if file.is_file()
    }
    assert len(found) >= 6
    assert set(found.values()) == {oct(0o666 & ~mask)}, found


def test_a_checkpoint_keeps_the_shape_of_its_steps(folder: RunFolder) -> None:
    path = checkpoint(folder, 3, sealed=False)
    seal(path, StepShape(processes=2, batches=6))
    assert fault(path) is None
    assert step_shape(path) == StepShape(processes=2, batches=6)
    assert step_shape(checkpoint(folder, 4)) is None
