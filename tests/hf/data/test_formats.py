"""Formats of splits: asked where DATA_FORMAT names none, and read into the same rows as a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.plan import FormatChoice
from adapt_core.contracts.format import Place, Row
from adapt_core.contracts.recognition import recognise
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.columns import drop_bad_rows
from adapt_core.hf.data.formats import recognise_splits, table_formats
from adapt_core.hf.data.source import check_data_source, load_raw, locate_files


class Arrows:
    """ "text -> label" on each line below "arrows"."""

    def recognise(self, place: Place) -> str | None:
        lines = place.files[0].read_text(encoding="utf-8").splitlines()
        return "its first line is arrows" if lines[:1] == ["arrows"] else None

    def read(self, place: Place) -> Iterator[Row]:
        for file in place.files:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
                text, arrow, label = line.partition(" -> ")
                if number > 1:
                    yield Row({"text": text, "label": label}, file, number, None if arrow else "no arrow")


class Broken(Arrows):
    """A format whose code fails."""

    def recognise(self, place: Place) -> str | None:
        raise ZeroDivisionError


def choice(name: str, cls: type = Arrows, suffixes: Sequence[str] = (".txt", ".arrows")) -> FormatChoice:
    return FormatChoice(
        name=name,
        summary=name,
        distribution="adapt-tests",
        version="2.0",
        implementation=f"{__name__}:{cls.__name__}",
        suffixes=tuple(suffixes),
        general=False,
    )


FORMATS = (*table_formats(), choice("arrows"))
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file."""

    def file(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return file


def keys(root: Path, **changes: str) -> DataParams:
    return attrs.evolve(DataParams(), custom_dataset_path=str(root), **changes)


def test_each_split_is_asked_of_and_the_reason_is_kept(write: Write) -> None:
    files = {
        "train": [write("train.txt", "arrows\na -> b\n")],
        "validation": [write("val.txt", "plain\n")],
        "test": [write("a.csv", "text,label\na,b\n"), write("b.tsv", "text\tlabel\na\tb\n")],
    }
    found = recognise_splits(files, FORMATS)
    assert {split: (one.choice.name, one.reason) for split, one in found.items()} == {
        "train": ("arrows", "its first line is arrows"),
        "validation": ("text", "val.txt: the suffix is .txt"),
        "test": (
            "delimited",
            "a.csv, b.tsv: the suffix is .csv or .tsv; cells separated by commas; cells separated by tabs",
        ),
    }


def test_two_formats_that_recognise_a_split_are_both_named(write: Write) -> None:
    file = write("train.txt", "arrows\na -> b\n")
    with pytest.raises(InputError) as raised:
        recognise_splits({"train": [file]}, (*FORMATS, choice("darts")))
    assert str(raised.value) == (
        f"{file} is recognised by arrows of adapt-tests 2.0 (its first line is arrows) and darts of adapt-tests 2.0 "
        "(its first line is arrows). Set DATA_FORMAT to the one that it is."
    )
    assert recognise_splits({"train": [file]}, (*FORMATS, choice("darts")), "darts")["train"].choice.name == "darts"


def test_a_file_that_no_format_recognises_is_told_with_those_of_its_suffix(write: Write) -> None:
    file = write("train.arrows", "a -> b\n")
    with pytest.raises(InputError, match=r"train\.arrows is not recognised as arrows\. Correct the file, or name the"):
        recognise_splits({"train": [file]}, FORMATS)


def test_a_format_whose_code_fails_is_left_out_with_a_warning(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    file = write("train.txt", "arrows\na -> b\n")
    found = recognise_splits({"train": [file]}, (*FORMATS, choice("broken", Broken)))["train"]
    assert found.choice.name == "arrows"
    assert "format broken of adapt-tests 2.0 is not asked" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_files_beside_those_of_a_format_that_looks_into_them_are_its_own_affair(write: Write) -> None:
    place = Place(split="train", root=Path(), files=(write("a.arrows", "arrows\nx -> y\n"), write("a.csv", "x\n1\n")))
    found = recognise(place, FORMATS)
    assert found is not None
    assert [path.name for path in found.place.files] == ["a.arrows"]


@pytest.mark.parametrize(
    "names", [("train.arrows", "train.csv"), ("train.csv", "train.txt"), ("train.arrows", "train.json")]
)
def test_no_file_of_a_split_is_left_out_without_a_word(write: Write, tmp_path: Path, names: Sequence[str]) -> None:
    for name in names:
        write(name, "arrows\nx -> y\n")
    kinds = ", ".join(sorted(Path(name).suffix for name in names))
    with pytest.raises(
        DataError, match=rf"mixes kinds of file in one split: {kinds}\. Keep one kind, or name its format"
    ):
        check_data_source(keys(tmp_path), FORMATS)
    check_data_source(keys(tmp_path, data_format="arrows"), FORMATS)


def test_a_file_of_another_format_beside_the_only_table_is_left_and_told(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("data.arrows", "arrows\nx -> y\n")
    write("data.jsonl", '{"text": "a"}\n')
    for named, name in ((None, "data.jsonl"), ("arrows", "data.arrows")):
        found = locate_files(keys(tmp_path) if named is None else keys(tmp_path, data_format=named), FORMATS)
        assert found is not None
        assert [path.name for path in found.files["train"]] == [name]
    assert caplog.text.count("data.jsonl is read, and not data.arrows beside it") == 1


def test_rows_of_a_format_are_those_of_the_plain_form(write: Write, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    rows = [{"text": "one", "label": "1"}, {"text": "two, more", "label": "b"}]
    write("train.arrows", "arrows\n" + "".join(f"{row['text']} -> {row['label']}\n" for row in rows))
    (tmp_path / "plain").mkdir()
    write("plain/train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = load_raw(keys(tmp_path / "train.arrows"), FORMATS)["train"]
    plain = load_raw(keys(tmp_path / "plain"), FORMATS)["train"]
    assert found.features == plain.features
    assert found[:] == plain[:]
    assert load_raw(keys(tmp_path / "train.arrows"), FORMATS)["train"]._fingerprint == found._fingerprint


def test_the_first_bad_row_of_a_format_is_told_or_dropped(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("datasets")
    file = write("train.arrows", "arrows\na -> b\nnothing\nc -> d\n")
    with pytest.raises(DataError, match=r"train\.arrows:3: no arrow\. Correct the row, or --set SKIP_BAD_ROWS=true"):
        load_raw(keys(file), FORMATS)
    rows = load_raw(attrs.evolve(keys(file), skip_bad_rows=True), FORMATS)["train"]
    assert rows["text"][:] == ["a", "c"]
    assert "train split: 1 row is dropped (SKIP_BAD_ROWS), the first: " in caplog.text
    with pytest.raises(DataError, match=r"train row 2: wrong\. Fix .*train\.arrows:4, or --set"):
        drop_bad_rows(rows, [None, "wrong"], "train", skip=False)


def test_a_named_format_reads_a_file_of_any_suffix(write: Write) -> None:
    pytest.importorskip("datasets")
    file = write("export.dat", "text;label\na;b\n")
    with pytest.raises(InputError, match=r"files of type '\.dat' are not supported; these are: \.csv, .*, \.arrows\."):
        locate_files(keys(file), FORMATS)
    assert load_raw(keys(file, data_format="delimited"), FORMATS)["train"][:] == {"text": ["a"], "label": ["b"]}


def test_of_a_folder_a_named_format_reads_the_files_of_its_suffixes(write: Write, tmp_path: Path) -> None:
    write("train.csv", "text\na\n")
    write("train.jsonl", '{"text": "a"}\n')
    found = locate_files(keys(tmp_path, data_format="json"), FORMATS)
    assert found is not None
    assert [path.name for path in found.files["train"]] == ["train.jsonl"]


@pytest.mark.parametrize("suffixes", [(".arrows",), ()])
def test_of_a_folder_without_files_of_its_suffixes_a_named_format_reads_those_of_the_splits(
    write: Write, tmp_path: Path, suffixes: Sequence[str]
) -> None:
    formats = (*table_formats(), choice("arrows", suffixes=suffixes))
    for name in ("train.dat", "dev.dat", "notes.md"):
        write(name, "arrows\nx -> y\n")
    found = locate_files(keys(tmp_path, data_format="arrows"), formats)
    assert found is not None
    assert {split: [path.name for path in paths] for split, paths in found.files.items()} == {
        "train": ["train.dat"],
        "validation": ["dev.dat"],
    }
    (tmp_path / "train").mkdir()
    write("train/part-0", "arrows\nx -> y\n")
    for named in (
        keys(tmp_path, data_format="arrows", train_dir="train"),
        keys(tmp_path / "train", data_format="arrows"),
    ):
        found = locate_files(named, formats)
        assert found is not None
        assert [path.name for path in found.files["train"]] == ["part-0"]
    with pytest.raises(InputError, match="contains no data file"):
        locate_files(keys(tmp_path / "train"), formats)


def test_files_of_other_suffixes_beside_those_of_a_named_format_are_no_splits(write: Write, tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    for name in ("train.csv", "test/README.md"):
        write(name, "text\na\n")
    found = locate_files(keys(tmp_path, data_format="delimited"), FORMATS)
    assert found is not None
    assert list(found.files) == ["train"]
    (tmp_path / "sheets").mkdir()
    write("sheets/train.xls", "PK")
    with pytest.raises(InputError, match=r"It holds train\.xls\. Save the sheet as \.xlsx or \.csv"):
        locate_files(keys(tmp_path / "sheets", data_format="delimited"), FORMATS)


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.csv", 'text,n\n"two\nlines",1\nnext,2\n', [2, 4]),
        ("a.jsonl", '{"text": "two\\nlines", "n": 1}\n\n{"text": "next", "n": 2}\n', [1, 3]),
        ("a.json", '[{"text": "two\\nlines", "n": 1}, {"text": "next", "n": 2}]', [None, None]),
    ],
)
def test_rows_of_tables_have_their_lines(write: Write, name: str, text: str, lines: list[int | None]) -> None:
    found = recognise_splits({"train": [write(name, text)]})["train"]
    rows = list(found.format.read(found.place))
    assert [dict(row.values) for row in rows] == [{"text": "two\nlines", "n": 1}, {"text": "next", "n": 2}]
    assert [row.line for row in rows] == lines


def test_data_format_is_for_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"DATA_FORMAT names .* and imdb is a data set of the library datasets\."):
        check_data_source(attrs.evolve(DataParams(), dataset="imdb", data_format="json"), FORMATS)
    (tmp_path / "dataset_dict.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"DATA_FORMAT names .* is a data set of the library datasets"):
        check_data_source(keys(tmp_path, data_format="json"), FORMATS)


def test_a_check_asks_the_formats(write: Write) -> None:
    file = write("train.txt", "arrows\na -> b\n")
    with pytest.raises(InputError, match=r"is recognised by arrows .* and darts"):
        check_data_source(keys(file), (*FORMATS, choice("darts")))
    check_data_source(keys(file), FORMATS)
