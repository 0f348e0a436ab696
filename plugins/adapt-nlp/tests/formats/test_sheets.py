"""Spreadsheets: the rows of a sheet are those of the csv file that its program would write."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

pytest.importorskip("python_calamine", reason="needs the extra adapt-core[sheets]")

from adapt_core import api
from adapt_core.contracts.format import Place
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.tables.read import read_splits
from adapt_core.hf.data.tables.sheets import Sheets
from adapt_core.hf.tasks.inputs import read_texts
from adapt_core.testing import FormatContract

from .conftest import Keys, Losses, place_of, read
from .spreadsheets import Cells, ods, xlsx

HEADER = ["text", "label", "n"]
ROWS: Cells = [HEADER, ["hallo", "a", 2], [None, None, None], ["007", "b", 2.5], ['a, "b"', "a", None]]
WRITERS = [pytest.param(xlsx, "a.xlsx", id="xlsx"), pytest.param(ods, "a.ods", id="ods")]
Write = Callable[..., Path]


class TestSheets(FormatContract):
    name = "sheets"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return place_of(xlsx(tmp_path / "train.xlsx", rows=ROWS))


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_cells_are_those_of_csv_and_empty_rows_are_passed_over(tmp_path: Path, write: Write, name: str) -> None:
    file = write(tmp_path / name, rows=ROWS, other=[])
    found = read(Sheets(), file)
    assert [dict(row.values) for row in found] == [
        {"text": "hallo", "label": "a", "n": 2.0},
        {"text": "007", "label": "b", "n": 2.5},
        {"text": 'a, "b"', "label": "a", "n": None},
    ]
    assert [str(row).removeprefix(str(file)) for row in found] == [f", sheet 'rows', row {n}" for n in (2, 4, 5)]
    (tmp_path / "a.csv").write_text('text,label,n\nhallo,a,2.0\n007,b,2.5\n"a, ""b""",a,\n', encoding="utf-8")
    table, plain = (read_splits({"train": (path,)})["train"] for path in (file, tmp_path / "a.csv"))
    assert (table[:], table.features) == (plain[:], plain.features)


def test_dates_are_iso_and_flags_words_and_formulas_their_values(tmp_path: Path) -> None:
    date = b'<c r="{at}" s="1"><v>45296</v></c>'
    formula = b'<c r="{at}"><f>1+1</f><v>2</v></c>'
    text = b'<c r="{at}" t="str"><f>"x"&amp;"y"</f><v>xy</v></c>'
    file = xlsx(tmp_path / "a.xlsx", rows=[["d", "f", "n", "t", " e"], [date, True, formula, text, 1e20]])
    [row] = read(Sheets(), file)
    assert row.values == {"d": "2024-01-05", "f": "TRUE", "n": 2, "t": "xy", "e": 1e20}


def test_a_sheet_is_named_and_a_table_may_begin_anywhere(tmp_path: Path) -> None:
    second: Cells = [[], [None, "text", "label"], [None, "x", "y"]]
    place = place_of(xlsx(tmp_path / "a.xlsx", Eins=ROWS, Zwei=second, Leer=[]))
    with pytest.raises(InputError, match=r"a\.xlsx has several sheets: Eins, Zwei\. Name the one .* by SHEET"):
        Sheets().recognise(place)
    with pytest.raises(InputError, match=r"SHEET: .*a\.xlsx has no sheet 'Drei'; it has Eins, Zwei, Leer"):
        Sheets().recognise(attrs.evolve(place, sheet="Drei"))
    named = attrs.evolve(place, sheet="zwei")
    assert Sheets().recognise(named) == "a.xlsx: the sheet 'Zwei'"
    [row] = Sheets().read(named)
    assert (row.values, row.part) == ({"text": "x", "label": "y"}, "sheet 'Zwei', row 3")


def test_a_column_of_numbers_is_numbers_in_each_split(tmp_path: Path) -> None:
    one = xlsx(tmp_path / "a.xlsx", rows=[["n", "whole", "mixed", "id"], [2, 1, 1, "007"], [2.5, 2, "x", "8"]])
    two = xlsx(tmp_path / "b.xlsx", rows=[["n", "whole", "mixed", "id"], [3, None, 2, "9"]])
    read_in = read_splits({"train": (one,), "validation": (two,)})
    assert read_in["train"][:] == {"n": [2.0, 2.5], "whole": [1, 2], "mixed": ["1", "x"], "id": ["007", "8"]}
    assert read_in["validation"][:] == {"n": [3.0], "whole": [None], "mixed": ["2"], "id": ["9"]}
    assert str(read_in["train"].features["n"].dtype) == "float64"
    assert str(read_in["train"].features["whole"].dtype) == "int64"


def test_hidden_and_damaged_sheets_do_not_count_among_several(tmp_path: Path) -> None:
    import zipfile

    file = xlsx(tmp_path / "a.xlsx", rows=ROWS, lists=ROWS)
    with zipfile.ZipFile(file) as given:
        parts = {name: given.read(name) for name in given.namelist()}

    def write(**changed: bytes) -> Place:
        with zipfile.ZipFile(file, "w") as sink:
            for name, content in {**parts, **changed}.items():
                sink.writestr(name, content)
        return place_of(file)

    book = parts["xl/workbook.xml"].replace(b'name="lists"', b'name="lists" state="hidden"')
    assert Sheets().recognise(write(**{"xl/workbook.xml": book})) == "a.xlsx: the sheet 'rows'"
    place = write(**{"xl/worksheets/sheet2.xml": b"<worksheet><sheetData><row"})
    with pytest.raises(DataError, match=r"a\.xlsx, sheet 'lists' cannot be read: "):
        Sheets().recognise(place)


ERROR = b'<c r="{at}" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
NEVER = b'<c r="{at}"><f>1+1</f><v/></c>'
ODS_ERROR = (
    b'<table:table-cell office:value-type="string" office:string-value="" calcext:value-type="error">'
    b"<text:p>#DIV/0!</text:p></table:table-cell>"
)


@pytest.mark.parametrize(
    ("write", "name", "rows", "said"),
    [
        (
            xlsx,
            "a.xlsx",
            [["text", "n"], ["a", 1], ["b", ERROR]],
            r"a\.xlsx, sheet 'rows', cell B3 has #DIV/0!, and no",
        ),
        (xlsx, "a.xlsx", [["text"], [NEVER]], r"sheet 'rows', cell A2 has a formula that was never computed"),
        (ods, "a.ods", [["text", "n"], [], ["b", ODS_ERROR]], r"a\.ods, sheet 'rows', cell B3 has #DIV/0!, and no"),
        (
            xlsx,
            "a.xlsx",
            [["text", "text"], ["a", "b"]],
            r"sheet 'rows', row 1: the header names .* 'text' twice",
        ),
        (xlsx, "a.xlsx", [["text", "label"]], r"sheet 'rows' contains no row below a header"),
        (xlsx, "a.xlsx", [], r"no sheet has a cell"),
    ],
)
def test_what_cannot_be_read_is_told_with_sheet_and_cell(
    tmp_path: Path, write: Write, name: str, rows: Cells, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read(Sheets(), write(tmp_path / name, rows=rows))


def test_a_document_that_declares_an_entity_is_refused(tmp_path: Path) -> None:
    import zipfile

    file = xlsx(tmp_path / "a.xlsx", rows=ROWS)
    with zipfile.ZipFile(file) as given:
        parts = {name: given.read(name).decode() for name in given.namelist()}
    part = "xl/worksheets/sheet1.xml"
    head, _, body = parts[part].partition("?>")
    parts[part] = f'{head}?><!DOCTYPE x [<!ENTITY lol "lol">]>{body}'
    with zipfile.ZipFile(file, "w") as sink:
        for name, content in parts.items():
            sink.writestr(name, content)
    with pytest.raises(DataError, match=r"a\.xlsx cannot be read"):
        read(Sheets(), file)


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of(xlsx(tmp_path / "a.xlsx", rows=ROWS))
    real = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'adapt-core\[sheets\]'"):
        Sheets().recognise(place)


def test_a_run_has_the_losses_of_the_plain_form(tmp_path: Path, tiny_encoder: Path, losses: Losses) -> None:
    rows = [{"text": f"{('good', 'bad')[n % 2]} film number {n}", "label": ("pos", "neg")[n % 2]} for n in range(16)]
    for split, part in (("train", rows), ("validation", rows[:4])):
        cells = [["text", "label"], *([row["text"], row["label"]] for row in part)]
        xlsx(tmp_path / "sheets" / f"{split}.xlsx", notes=[["made", "by hand"], ["x", "y"]], rows=cells)
        (tmp_path / "plain").mkdir(exist_ok=True)
        lines = "".join(f"{json.dumps(row)}\n" for row in part)
        (tmp_path / "plain" / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    keys: Keys = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder)}
    there = {"CUSTOM_DATASET_PATH": str(tmp_path / "sheets"), "OUTPUT_DIR": "run", "SHEET": "rows"}
    found = api.estimate(api.check({**keys, **there}))
    assert found.formats["train"]["reason"] == "train.xlsx: the sheet 'rows'"
    assert len(found.examples) == 3
    plan, table = api.check({**keys, **there}), tmp_path / "new.csv"
    table.write_text("text\ngood film\n", encoding="utf-8")
    new = xlsx(tmp_path / "new.xlsx", notes=[["made"], ["x"]], rows=[["text"], ["bad film"]])
    assert read_texts([str(table), str(new)], plan) == ["good film", "bad film"]
    assert losses(tmp_path / "sheets", {**keys, "SHEET": "rows"}) == losses(tmp_path / "plain", keys)
    with pytest.raises(InputError, match="input_column: the train split has no column 'text'; it has: made, by hand"):
        api.check({**keys, **there, "SHEET": "notes"})
    with pytest.raises(InputError, match=r"SHEET names a sheet of an \.xlsx or \.ods file, and .*train\.jsonl is none"):
        api.check({**keys, **there, "CUSTOM_DATASET_PATH": str(tmp_path / "plain")})
