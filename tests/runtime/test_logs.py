"""LOGGING_PATH: a second log, never over a file that is none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from adapt_core.errors import InputError
from adapt_core.run_folder.paths import RunFolder
from adapt_core.runtime.logs import log_files, logging_to
from adapt_core.runtime.progress import make_reporter

from ..run_folder.test_run_folder import plan


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("data.csv", "is not a log of adapt"),
        ("link", "is a link"),
        ("dangling", "is a link"),
        ("folder", "is a folder"),
        ("base/notes.txt", "is in the folder of the base model"),
        ("run/metrics.jsonl", "is metrics.jsonl of OUTPUT_DIR"),
        ("run/model/log", "is model of OUTPUT_DIR"),
        ("run/.adapt-run.json", "which the run writes itself"),
    ],
)
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, given: str, reason: str) -> None:
    (tmp_path / "data.csv").write_text("text,label\n")
    (tmp_path / "link").symlink_to("data.csv")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("folder", "base"):
        (tmp_path / name).mkdir()
    keys = {"LOGGING_PATH": str(tmp_path / given), "MODEL_PATH": str(tmp_path / "base")}
    with pytest.raises(InputError, match=f"LOGGING_PATH .*{reason}"):
        log_files(plan(tmp_path / "run", **keys), RunFolder(tmp_path / "run"))
    assert (tmp_path / "data.csv").read_text() == "text,label\n"


def test_a_new_file_an_earlier_log_and_a_device_are_taken(tmp_path: Path) -> None:
    folder, second = RunFolder(tmp_path), tmp_path / "second.log"
    for _ in range(2):
        files = log_files(plan(tmp_path, LOGGING_PATH=str(second)), folder)
        assert files == [folder.log, second]
        with logging_to(files, make_reporter(is_main=False), ["adapt_core"]):
            logging.getLogger("adapt_core.tests").info("a line")
    assert len(second.read_text().splitlines()) == 2
    assert log_files(plan(tmp_path, LOGGING_PATH="/dev/null"), folder)[1:] == [Path("/dev/null")]
    assert log_files(plan(tmp_path, LOGGING_PATH=str(folder.log)), folder) == [folder.log]
