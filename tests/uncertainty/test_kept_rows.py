"""`predictions.parquet`: what was found of each row, kept in the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from adapt_core.errors import InputError
from adapt_core.evaluated_rows import EvaluatedRows
from adapt_core.run_folder.ownership import Ownership
from adapt_core.run_folder.paths import RunFolder
from adapt_core.uncertainty.kept_rows import LONGEST, cells_of, keep_rows, read_rows, row_ids

pytest.importorskip("pyarrow")


def rows_of(kind: str, expected: list[Any], predicted: list[Any], **fields: Any) -> EvaluatedRows:
    return EvaluatedRows(
        kind=kind, rows=range(len(expected)), expected=expected, predicted=predicted, measure=lambda _: {}, **fields
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    Ownership.of(tmp_path).save()
    return RunFolder(tmp_path)


def test_classes_come_back_with_their_scores(folder: RunFolder) -> None:
    right = numpy.array([1.0, 0.0])
    keep_rows(
        folder,
        [
            rows_of(
                "class",
                ["a", "b"],
                ["a", "a"],
                confidence=[0.9, 0.6],
                right=[True, False],
                scores=numpy.array([[2.0, 0.0], [1.0, 0.5]], dtype=numpy.float32),
                labels=("a", "b"),
                ratios={"accuracy": (right, numpy.ones(2))},
            )
        ],
        None,
    )
    kept = read_rows(folder)
    assert kept is not None
    assert (kept.kind, kept.labels, len(kept)) == ("class", ("a", "b"), 2)
    assert kept.columns == {
        "row": [1, 2],
        "expected": ["a", "b"],
        "predicted": ["a", "a"],
        "confidence": [0.9, 0.6],
        "right": [True, False],
        "scores": [[2.0, 0.0], [1.0, 0.5]],
    }
    assert kept.ratios["accuracy"][0].tolist() == [1.0, 0.0]
    assert Ownership.of(folder.path).written.keys() == {"predictions.parquet"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("labels", [["a", "b"], []]),
        ("numbers", [[1.5, 2.0], [0.0, -1.0]]),
        ("tags", [["O", "B-PER"], ["O"]]),
        ("answer", [["here", "there"], []]),
        ("text", ["one\u2028line", "\x1b[31mred"]),
    ],
)
def test_each_kind_comes_back_as_it_was(folder: RunFolder, kind: str, expected: list[Any]) -> None:
    keep_rows(folder, [rows_of(kind, expected, expected)], None)
    kept = read_rows(folder)
    assert kept is not None
    assert kept.columns["expected"] == kept.columns["predicted"] == expected


def test_what_is_predicted_of_rows_is_kept_rather_than_tokens(folder: RunFolder) -> None:
    tokens, texts = rows_of("tokens", [None], [None]), rows_of("text", ["a"], ["b"])
    keep_rows(folder, [tokens, texts], None)
    kept = read_rows(folder)
    assert kept is not None
    assert kept.kind == "text"


def test_tokens_alone_are_kept_by_their_sums(folder: RunFolder) -> None:
    sums = numpy.array([3.0, 4.0]), numpy.array([2.0, 2.0])
    keep_rows(folder, [rows_of("tokens", [None, None], [None, None], ratios={"loss": sums})], None)
    kept = read_rows(folder)
    assert kept is not None
    assert set(kept.columns) == {"row"}
    assert [each.tolist() for each in kept.ratios["loss"]] == [[3.0, 4.0], [2.0, 2.0]]


def test_long_texts_are_cut(folder: RunFolder) -> None:
    keep_rows(folder, [rows_of("text", ["a" * 2 * LONGEST], [""])], None)
    kept = read_rows(folder)
    assert kept is not None
    assert len(kept.columns["expected"][0]) == LONGEST


def test_rows_have_the_same_id_where_they_and_what_is_expected_are_the_same() -> None:
    datasets = pytest.importorskip("datasets")
    raw = datasets.Dataset.from_dict({"text": ["x", "y", "x"], "number": [1, 2, 1]})
    cells = list(cells_of(raw, range(3)))
    assert cells == [(1, "x"), (2, "y"), (1, "x")]
    one, other, again = row_ids(rows_of("class", ["a", "a", "a"], ["a", "b", "c"]), cells)
    assert one == again != other
    assert row_ids(rows_of("class", ["b", "a", "a"], ["a", "b", "c"]), cells)[0] != one


@pytest.mark.parametrize(
    "column",
    [
        [["Anna", "left"], ["Karl", "left"]],
        [[{"role": "user", "content": "hi"}], [{"role": "user", "content": "hello"}]],
        [{"text": ["here"], "start": [1]}, {"text": ["there"], "start": [1]}],
    ],
)
def test_rows_differ_by_words_messages_and_answers_alone(column: list[Any]) -> None:
    """Two documents may have the same tags, and two conversations the same number of tokens."""
    datasets = pytest.importorskip("datasets")
    raw = datasets.Dataset.from_dict({"column": column})
    one, other = row_ids(rows_of("tags", [["O", "O"]] * 2, [["O", "O"]] * 2), cells_of(raw, range(2)))
    assert one != other


def test_cells_are_read_in_parts_and_in_the_order_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("adapt_core.uncertainty.kept_rows._AT_ONCE", 2)
    raw = datasets.Dataset.from_dict({"text": list("abcde")})
    assert list(cells_of(raw, [4, 0, 3, 1, 2])) == [("e",), ("a",), ("d",), ("b",), ("c",)]
    assert list(cells_of(None, [0, 1])) == [None, None]


def test_a_task_may_say_itself_what_is_in_its_rows(folder: RunFolder) -> None:
    alike = rows_of("class", ["a", "a"], ["a", "a"])
    keep_rows(folder, [alike], None, lambda positions: [f"digest {number}" for number in positions])
    kept = read_rows(folder)
    assert kept is not None
    assert len(set(kept.ids)) == 2


def test_a_damaged_file_is_told(folder: RunFolder) -> None:
    keep_rows(folder, [rows_of("class", ["a"], ["a"])], None)
    folder.rows.write_bytes(folder.rows.read_bytes()[:100])
    with pytest.raises(InputError, match=r"predictions\.parquet cannot be read"):
        read_rows(folder)


def test_a_parquet_of_somebody_else_is_told(folder: RunFolder) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"x": [1]}), folder.rows)
    with pytest.raises(InputError, match=r"predictions\.parquet cannot be read"):
        read_rows(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"expected": None},
        {"predicted": ["a", None]},
        {"expected": [["a"], ["b"]]},
        {"accuracy.over": ["x", "y"]},
    ],
)
def test_columns_that_no_run_writes_are_told(folder: RunFolder, changes: dict[str, Any]) -> None:
    import pyarrow
    from pyarrow import parquet

    ones = numpy.ones(2)
    keep_rows(folder, [rows_of("class", ["a", "b"], ["a", "a"], ratios={"accuracy": (ones, ones)})], None)
    table = parquet.read_table(folder.rows)
    columns = {**table.to_pydict(), **changes}
    changed = pyarrow.table({name: values for name, values in columns.items() if values is not None})
    parquet.write_table(changed.replace_schema_metadata(table.schema.metadata), folder.rows)
    with pytest.raises(InputError, match=r"predictions\.parquet cannot be read"):
        read_rows(folder)


def test_a_file_of_somebody_else_is_not_replaced(folder: RunFolder) -> None:
    folder.rows.write_bytes(b"mine")
    with pytest.raises(InputError, match="was not written"):
        keep_rows(folder, [rows_of("class", ["a"], ["a"])], None)
    assert folder.rows.read_bytes() == b"mine"


def test_objects_and_counts_of_texts_come_back(folder: RunFolder) -> None:
    expected = [[{"label": "cup", "bbox": [1.0, 2.0, 3.0, 4.0], "not_counted": False}], []]
    predicted = [[{"label": "cup", "score": 0.75, "bbox": [1.0, 2.0, 3.0, 4.5], "right": 31, "wrong": 992}], []]
    rows = rows_of(
        "objects", expected, predicted, confidence=[0.0, 0.0], right=[True, True], averaged=("mAP", "AP50", "AP75")
    )
    keep_rows(folder, [rows], None)
    kept = read_rows(folder)
    assert kept is not None
    assert (kept.kind, kept.averaged) == ("objects", ("mAP", "AP50", "AP75"))
    assert kept.columns["expected"] == expected
    assert kept.columns["predicted"] == predicted
    counts = numpy.array([[3, 4, 2, 2], [5, 5, 1, 4]])
    keep_rows(folder, [rows_of("text", ["a", "b"], ["c", "d"], counted={"bleu": counts})], None)
    kept = read_rows(folder)
    assert kept is not None
    assert kept.counted["bleu"].tolist() == counts.tolist()
    assert set(kept.columns) == {"row", "expected", "predicted"}


@pytest.mark.parametrize("broken", [[[{"label": "cup"}]], [[1]], ["text"]])
def test_objects_that_are_none_are_told(folder: RunFolder, broken: list[Any]) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {"row": [1], "id": ["x"], "expected": [[]], "predicted": broken}
    columns["expected"] = [[{"label": "cup", "bbox": [0.0], "not_counted": False}]]
    table = pyarrow.table(columns).replace_schema_metadata({b"adapt.kind": "objects"})
    parquet.write_table(table, folder.rows)
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(folder)
