"""Which arguments of adapt predict are files, and which are texts."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.data.formats import table_formats
from adapt_core.hf.data.tables.json_rows import head_values
from adapt_core.hf.tasks.inputs import data_file, file_column, file_lines

from ...config.resolving import plan
from ..data.test_formats import choice

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


def arrows(*names: str, named: str | None = None) -> Plan:
    """A plan whose task reads tables and formats of arrows."""
    given = plan("")
    formats = (*FORMATS, *map(choice, names))
    return attrs.evolve(given, formats=formats, data=attrs.evolve(given.data, data_format=named))


def test_a_txt_file_is_read_in_the_format_that_recognises_it_else_by_lines(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    file = tmp_path / "a.txt"
    file.write_text("arrows\nx -> y\n", encoding="utf-8")
    assert file_column(file, arrows("arrows"), "text") == ["x"]
    assert file_column(file, arrows(), "text") == ["arrows", "x -> y"]
    assert file_column(file, arrows("arrows", named="text"), "text") == ["arrows", "x -> y"]
    file.write_text("x -> y\n", encoding="utf-8")
    assert file_column(file, arrows("arrows"), "text") == ["x -> y"]


@pytest.mark.parametrize("suffix", [".txt", ".arrows"])
def test_the_format_that_the_run_names_decides_between_two(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("datasets")
    file = tmp_path / f"a{suffix}"
    file.write_text("arrows\nx -> y\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"is recognised by arrows .* and darts"):
        file_column(file, arrows("arrows", "darts"), "text")
    assert file_column(file, arrows("arrows", "darts", named="darts"), "text") == ["x"]
    (tmp_path / "a.csv").write_text("text\nx\n", encoding="utf-8")
    assert file_column(tmp_path / "a.csv", arrows("arrows", "darts", named="darts"), "text") == ["x"]


def test_a_line_ends_at_a_line_feed_and_at_no_separator_of_unicode(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("one\u2028still\u0085one\x0cone\r\ntwo\n", encoding="utf-8", newline="")
    assert file_lines(file) == ["one\u2028still\u0085one\x0cone", "two"]
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "one\u2028one"}\n{"text": "two"}\n', encoding="utf-8")
    assert head_values(rows) == [{"text": "one\u2028one"}, {"text": "two"}]
