"""Which arguments of adapt predict are files, and which are texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapt_core.hf.data.formats import table_formats
from adapt_core.hf.tasks.inputs import data_file

FORMATS = table_formats()


def test_a_data_file_that_exists_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "my rows.CSV"
    file.touch()
    assert data_file(str(file), FORMATS) == file
    (tmp_path / "folder.csv").mkdir()
    assert data_file(str(tmp_path / "folder.csv"), FORMATS) is None
    assert data_file(str(tmp_path / "rows.doc"), FORMATS) is None


@pytest.mark.parametrize("length", [1, 300, 5000])
def test_a_text_that_ends_like_a_file_is_a_text(length: int, caplog: pytest.LogCaptureFixture) -> None:
    assert data_file("please open the " + "very " * length + "long.csv", FORMATS) is None
    assert data_file("a\0b.csv", FORMATS) is None
    assert caplog.text.count("no such file") == 1  # of the one without a space, which may be a slip


def test_a_file_name_that_is_mistyped_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert data_file("messags.csv", FORMATS) is None
    assert "messags.csv: there is no such file, so this is taken as the input itself." in caplog.text
