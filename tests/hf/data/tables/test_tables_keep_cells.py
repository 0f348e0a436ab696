"""A table is read as it is written: text stays text in every row and split, a shifted row is named."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datasets", reason="needs the extra adapt-core[hf]")

from adapt_core.config.core_params.data import DataParams
from adapt_core.contracts.format import Place
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import format_row
from adapt_core.hf.data.tables.formats import Delimited
from adapt_core.hf.data.tables.read import read_splits


def read(path: Path, content: str | bytes) -> dict[str, list[Any]]:
    """The columns of one file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return dict(read_splits({"train": (path,)})["train"][:])


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("plain.csv", "text,label\na,1\n", {"text": ["a"], "label": [1]}),
        ("half.csv", "a,b\n0.5,1\n-2.0,\n", {"a": [0.5, -2.0], "b": [1, None]}),
        ("mixed.csv", "a,b\n0.5,9223372036854775808\n1,1\n", {"a": ["0.5", "1"], "b": ["9223372036854775808", "1"]}),
        ("codes.csv", "a,b\n007,34\n1E3,\n0.50,07\n", {"a": ["007", "1E3", "0.50"], "b": ["34", None, "07"]}),
        ("words.csv", "text\nNA\nNone\ntrue\n", {"text": ["NA", "None", "true"]}),
        ("days.csv", "d\n2024-01-05\n2020-01-01T10:00:00+02:00\n", {"d": ["2024-01-05", "2020-01-01T10:00:00+02:00"]}),
        ("lines.csv", 'text,label\n"two\nlines",x\n\nb,y\n', {"text": ["two\nlines", "b"], "label": ["x", "y"]}),
        ("declared.csv", "sep=;\na,b\nc,d\n", {"a,b": ["c,d"]}),
        ("undeclared.csv", "sep=x\nfoo\n", {"sep=x": ["foo"]}),
        ("doubled.csv", 'text,label\n"say ""hi"", then",x\n', {"text": ['say "hi", then'], "label": ["x"]}),
        ("spaces.csv", "text, label\na, b\nc,d\n", {"text": ["a", "c"], "label": [" b", "d"]}),
        ("index.csv", ",text\n0,a\n1,b\n", {"column_1": [0, 1], "text": ["a", "b"]}),
        ("signs.csv", "a,b,c\n1_000,+5,٣\n", {"a": ["1_000"], "b": ["+5"], "c": ["٣"]}),
        ("bom.csv", "\ufefftext,label\na,b\n", {"text": ["a"], "label": ["b"]}),
        ("tabs.tsv", "text\tlabel\na, b\tc\n", {"text": ["a, b"], "label": ["c"]}),
        ("train[1].csv", "text\na\n", {"text": ["a"]}),
        ("lines.txt", "one\r\n\ntwo", {"text": ["one", "", "two"]}),
        ("list.json", '[{"a": 1}, {"a": 2}]', {"a": [1, 2]}),
        ("keyed.json", '{"data": [{"a": "x"}]}', {"a": ["x"]}),
        ("lines.json", '{"a": 1}\n{"a": 2}\n', {"a": [1, 2]}),
    ],
)  # fmt: skip
def test_cells_are_as_written(tmp_path: Path, name: str, content: str, columns: dict[str, list[Any]]) -> None:
    assert read(tmp_path / name, content) == columns


@pytest.mark.parametrize(
    ("name", "content", "columns", "said"),
    [
        ("a.csv", "text;n\nhallo, du;3,5\n", {"text": ["hallo, du"], "n": ["3,5"]}, "semicolons"),
        ("a.csv", "text|n\nb|c\n", {"text": ["b"], "n": ["c"]}, "vertical bars"),
        ("a.csv", 'text,n\n"a \\"b\\", c",x\n', {"text": ['a "b", c'], "n": ["x"]}, "escaped by a backslash"),
        ("a.csv", 'text, n\nb, c\n"d, e", "f, g"\n', {"text": ["b", "d, e"], "n": ["c", "f, g"]}, "commas and spaces"),
        ("a.csv", "sep=;\r\ntext;n\r\na,b;3,5\r\n", {"text": ["a,b"], "n": ["3,5"]}, "semicolons"),
        ("a.csv", 'sep=\t\ntext\tn\n"a\tb"\tc\n', {"text": ["a\tb"], "n": ["c"]}, "tabs"),
        ("a.tsv", 'text\tn\n"stray\tx\nb\ty\n', {"text": ['"stray', "b"], "n": ["x", "y"]}, "quotes are text"),
    ],
)  # fmt: skip
def test_another_dialect_is_recognised_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: str, columns: dict[str, list[str]], said: str
) -> None:
    caplog.set_level(logging.INFO, "adapt_core")
    assert read(tmp_path / name, content) == columns
    assert said in caplog.text


SPOKEN = "text;label\r\nGrüße aus München, schöne Straße;gut\r\nÄpfel und Öl;schlecht\r\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "semicolons\n"),
        ("utf-8-sig", "semicolons\n"),
        ("utf-16", "semicolons, UTF-16\n"),
        ("utf-16-le", "semicolons, UTF-16\n"),
        ("utf-16-be", "semicolons, UTF-16\n"),
        ("utf-32", "semicolons, UTF-32\n"),
        ("cp1252", "semicolons, Windows-1252\n"),
    ],
)
def test_the_encodings_of_spreadsheets_are_recognised_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, encoding: str, said: str
) -> None:
    caplog.set_level(logging.INFO, "adapt_core")
    texts = ["Grüße aus München, schöne Straße", "Äpfel und Öl"]
    assert read(tmp_path / "a.csv", SPOKEN.encode(encoding)) == {"text": texts, "label": ["gut", "schlecht"]}
    assert f"a.csv: cells separated by {said}" in caplog.text
    place = Place(split="train", root=tmp_path, files=(tmp_path / "a.csv",))
    assert f"{Delimited().recognise(place)}\n" == f"a.csv: the suffix is .csv; cells separated by {said}"
    assert [row.line for row in Delimited().read(place)] == [2, 3]


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        ("Le café était très agréable, où êtes-vous allés ?", "cp1252", None),
        ("Ça marche très bien, livraison rapide et soignée.", "cp1252", None),
        ("El niño comió la piña. ¿Qué pasó, señor?", "cp1252", None),
        ("Não é possível, ação e coração", "cp1252", None),
        ("Perché no? È così bello, però più caro", "cp1252", None),
        ("Smørrebrød på øen", "cp1252", None),
        ("Příliš dobré zboží, rychlé dodání, děkuji", "cp1250", "cp1250"),
        ("Bardzo dobry produkt, źle działa, szkoda pieniędzy, że", "cp1250", "cp1250"),
        ("Nagyon jó minőség, köszönöm, drága és hűvös", "cp1250", "cp1250"),
        ("Odlično, brza dostava. Loše, već pokvareno", "cp1250", "cp1250"),
    ],
)
def test_western_and_central_european_letters_are_told_apart(
    tmp_path: Path, text: str, encoding: str, said: str | None
) -> None:
    content = f"text;label\n{text};a\nok;b\n".encode(encoding)
    if said is None:
        assert read(tmp_path / "a.csv", content)["text"] == [text, "ok"]
    else:
        with pytest.raises(DataError, match=f"seems to be {said}"):
            read(tmp_path / "a.csv", content)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.234,50", "-7", "0,25"], ["1.234,50", "-7", "0,25"]),
        (["0,2", "1", "1,3"], ["0,2", "1", "1,3"]),
        (["1,1", "1,10"], ["1,1", "1,10"]),
        (["1,234", "12,345"], ["1,234", "12,345"]),
        (["1", "2", ""], [1, 2, None]),
    ],
)
def test_a_cell_with_a_comma_stays_as_it_is_written(tmp_path: Path, cells: list[str], values: list[Any]) -> None:
    for name, separator in (("a.csv", ";"), ("b.tsv", "\t")):
        rows = "".join(f"t{separator}{cell}\n" for cell in cells)
        assert read(tmp_path / name, f"text{separator}n\n{rows}")["n"] == values


def test_a_separator_that_one_row_refutes_is_not_ambiguous(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "id;text,label\n1;a,x\n2,y\n") == {"id;text": ["1;a", "2"], "label": ["x", "y"]}
    assert read(tmp_path / "b.tsv", "id,x\tlabel\n1,y\tb\n") == {"id,x": ["1,y"], "label": ["b"]}
    assert read(tmp_path / "c.csv", "sep=;\nid;text,label\n1;a,x\n") == {"id": [1], "text,label": ["a,x"]}


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ('text,label\n"Hi Bob,\nplease call",ham\nwin,spam\n', ["Hi Bob,\nplease call", "win"]),
        ('text,label\n"Hi, how is it\nthere?",ham\nwin,spam\n', ["Hi, how is it\nthere?", "win"]),
        ('text,label\n"Hi,ham\nyou","ham"\n"win","ham"\n', ["Hi,ham\nyou", "win"]),
    ],
)
def test_cells_of_several_lines_with_separators_are_cells(tmp_path: Path, content: str, cells: list[str]) -> None:
    assert read(tmp_path / "letters.csv", content)["text"] == cells


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\nhello, you,pos\nbye,neg\n", "a.csv:2: the row has 3 cells, the header 2"),
        ("a.csv", 'text,label\nok,pos\n"good,pos\nbad",neg\n', "a.csv:3: a quoted cell that begins here goes on over"),
        ("a.csv", "sep=;\ntext;label\na;b;c\n", "a.csv:3: the row has 3 cells, the header 2"),
        ("a.csv", "text,label\na,pos\nb\n", "a.csv:3: the row has 1 cell, the header 2"),
        ("a.csv", 'text,label\na,b\n"open, a,pos\nc,"d" e\n', "a.csv:3: the row has text behind a closing quote"),
        ("a.csv", "text,text\na,b\n", "a.csv:1: the header names the column 'text' twice"),
        ("a.csv", b"text,label\nna\xefve caf\xc3\xa9,1\n", "a.csv:2: not UTF-8 text (byte 2 of the line). Save the"),
        ("a.csv", "text,label\nok,1\nПривет мир как дела,2\n".encode("cp1251"), "a.csv:3: not UTF-8 "
         "text (byte 0 of the line). It seems to be cp1251"),
        ("a.csv", "text,label\nok,1\n".encode("utf-16") + b"\x00", "a.csv: not UTF-16, as its beginning is: "),
        ("a.csv", "id;text,label\n1;a,x\n2;b,y\n", "a.csv:1: the cells can be separated by commas "
         "('id;text', 'label') or semicolons ('id', 'text,label'), in every row alike. Write one of these above the "
         "header: sep=, or sep=;"),
        ("a.csv", "", "a.csv is empty"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "a.jsonl:2: not valid JSON"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "a.jsonl:2: each line must be a JSON object"),
        ("a.jsonl", '{"a": "\\ud800"}\n', "half of a surrogate pair"),
        ("a.jsonl", b'{"a": "\xe9"}\n', "a.jsonl:1: not UTF-8 text"),
        ("a.json", '[{"a": 1}, 2]', "entry 2 must be a JSON object"),
        ("a.parquet", "no parquet", "a.parquet cannot be read as parquet"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / name, content)
    assert message in str(caught.value)


def test_types_do_not_change_where_a_reader_would_begin_another_block(tmp_path: Path) -> None:
    rows = ["text,label", *(f"t,{label}" for label in ("007", "A12", "010") for _ in range(3334)), *["t,007"] * 3000]
    assert set(read(tmp_path / "a.csv", "\n".join(rows))["label"]) == {"007", "A12", "010"}


def test_a_word_behind_ten_thousand_numbers_makes_the_column_text(tmp_path: Path) -> None:
    labels = [*(str(number % 2) for number in range(10_001)), "other"]
    assert read(tmp_path / "a.csv", "\n".join(["label", *labels]) + "\n") == {"label": labels}


def test_times_in_json_lines_stay_text(tmp_path: Path) -> None:
    times = ["2024-01-05", "2020-01-01T10:00:00+02:00", "10:30"]
    lines = "".join(json.dumps({"date": time}) + "\n" for time in times)
    assert read(tmp_path / "a.jsonl", lines) == {"date": times}


def test_a_number_beside_an_empty_cell_is_written_into_a_text_as_it_is(tmp_path: Path) -> None:
    columns = read(tmp_path / "a.csv", "name,age\nAda,34\nBo,\n")
    params = DataParams(format_string="{name} is {age}")
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    assert [format_row(row, params) for row in rows] == ["Ada is 34", "Bo is "]


def test_numbers_of_a_csv_are_decided_over_all_splits(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("label\n1\nother\n")
    (tmp_path / "validation.csv").write_text("label\n1\n2\n")
    splits = read_splits({name: (tmp_path / f"{name}.csv",) for name in ("train", "validation")})
    assert [splits[name]["label"][:] for name in splits] == [["1", "other"], ["1", "2"]]


def test_a_number_among_texts_changes_no_text(tmp_path: Path) -> None:
    rows = ["1", 1.5, "null", True, "01", "1e3", None, 2**70]
    lines = "".join(json.dumps({"t": value, "d": "2024-01-05"}) + "\n" for value in rows)
    kept = [*rows[:-1], str(2**70)]
    assert read(tmp_path / "a.jsonl", lines) == {"t": kept, "d": ["2024-01-05"] * len(rows)}


def test_a_column_without_text_stays_a_number(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", '{"n": 1, "m": 1}\n{"n": null, "m": 0.5}\n') == {"n": [1, None], "m": [1.0, 0.5]}


def test_types_are_decided_over_all_splits(tmp_path: Path) -> None:
    for name, values in (("train", [1, "other"]), ("validation", [1, 2])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"label": v}) + "\n" for v in values))
    splits = read_splits({name: (tmp_path / f"{name}.jsonl",) for name in ("train", "validation")})
    assert splits["train"].features == splits["validation"].features
    assert [splits[name]["label"][:] for name in splits] == [[1, "other"], [1, 2]]


def test_objects_have_the_keys_that_they_have(tmp_path: Path) -> None:
    rows = [
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "calls": [{"name": "f", "x": 1}]}],
        [{"role": "user", "content": "b"}],
    ]
    lines = "".join(json.dumps({"messages": messages}) + "\n" for messages in rows)
    assert read(tmp_path / "a.jsonl", lines) == {"messages": rows}


def test_changed_content_is_read_again_and_a_moved_file_is_not(tmp_path: Path) -> None:
    first, moved = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("text\none\n")
    before = read_splits({"train": (first,)})["train"]
    moved.write_text("text\none\n")
    assert read_splits({"train": (moved,)})["train"]._fingerprint == before._fingerprint
    first.write_text("text\ntwo\n")
    assert read_splits({"train": (first,)})["train"]["text"][:] == ["two"]


def test_files_of_one_split_need_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    (tmp_path / "b.csv").write_text("text,class\na,b\n")
    with pytest.raises(DataError, match=r"b\.csv has other columns than a\.csv: text, class instead of text, label"):
        read_splits({"train": (tmp_path / "a.csv", tmp_path / "b.csv")})
