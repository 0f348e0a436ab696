"""What adapt predict takes for the vision tasks: files, folders, and lists of paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from adapt_core.errors import BadInputsError, InputError

from ..pictures import picture
from adapt_vision_mm.annotations.image_files import image_defect
from adapt_vision_mm.images.decoder import find_defect
from adapt_vision_mm.images.inputs import list_images, read_image_inputs

Fault = Callable[[Path], str | None]
FAULTS = [
    pytest.param(partial(find_defect, decode=False), id="classification"),
    pytest.param(image_defect, id="openmmlab"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """a.png, and b.jpg in a folder inside."""
    (tmp_path / "inner").mkdir()
    picture("red", 1).save(tmp_path / "a.png")
    picture("red", 2).save(tmp_path / "inner" / "b.jpg")
    return tmp_path


@pytest.mark.parametrize("fault", FAULTS)
def test_files_folders_and_lists_in_the_order_given(folder: Path, fault: Fault) -> None:
    (folder / "list.txt").write_text("inner/b.jpg\n\na.png\n", encoding="utf-8")
    rows = [{"image": "a.png"}, {"file_name": "inner/b.jpg"}, {"path": str(folder / "a.png")}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    a, b = folder / "a.png", folder / "inner" / "b.jpg"
    assert read_image_inputs([str(b), str(folder)], fault) == [b, a, b]
    assert read_image_inputs([str(folder / "list.txt")], fault) == [b, a]
    assert read_image_inputs([str(folder / "rows.jsonl")], fault) == [a, b, a]


def test_paths_in_parquet_are_relative_to_its_folder_or_else_to_the_working_directory(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("a.png", "c.png"):
        picture("blue", 3).save(elsewhere / name)
    parquet.write_table(pyarrow.table({"image": ["inner/b.jpg", "a.png", "c.png"]}), folder / "rows.parquet")
    monkeypatch.chdir(elsewhere)
    found = read_image_inputs([str(folder / "rows.parquet")], partial(find_defect, decode=False))
    assert found == [folder / "inner" / "b.jpg", folder / "a.png", Path("c.png")]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(folder: Path, fault: Fault) -> None:
    (folder / "empty").mkdir()
    (folder / "wrong.jsonl").write_text('{"image": "a.png"}\n{"picture": "a.png"}\n', encoding="utf-8")
    (folder / "broken.jsonl").write_text("{", encoding="utf-8")
    (folder / "absent.txt").write_text("no.png\n", encoding="utf-8")
    for arguments, message in (
        (["empty"], "has no images"),
        (["no.png"], "no.png "),
        (["very " * 99 + "long.png"], "long.png "),
        (["absent.txt"], "no.png "),
        (["wrong.jsonl"], r"wrong.jsonl:2: no image path in image, file_name, path"),
        (["broken.jsonl"], r"broken.jsonl:1: not valid JSON"),
        ([], "at least one image"),
    ):
        with pytest.raises(InputError, match=message):
            read_image_inputs([str(folder / argument) for argument in arguments], fault)


def test_an_input_has_its_number_among_those_of_all_arguments(folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (folder / "wrong.jsonl").write_text('{"picture": "a.png"}\n\n{"image": "a.png"}\n{"image": 3}\n', encoding="utf-8")
    parquet.write_table(pyarrow.table({"image": ["a.png", None, "no.png"]}), folder / "rows.parquet")
    arguments = [str(folder / name) for name in ("a.png", "wrong.jsonl", "inner", "rows.parquet", "absent.png")]
    with pytest.raises(BadInputsError, match=r"input 2: .*wrong\.jsonl:1: no image path .*4 more inputs") as caught:
        read_image_inputs(arguments, partial(find_defect, decode=False))
    said = {
        2: "wrong.jsonl:1",
        4: "wrong.jsonl:4",
        7: "rows.parquet: row 2",
        8: "no.png cannot",
        9: "absent.png cannot",
    }
    assert list(caught.value.faults) == list(said)
    assert all(words in caught.value.faults[number] for number, words in said.items())
    with pytest.raises(BadInputsError) as caught:
        list_images(arguments)
    assert list(caught.value.faults) == [2, 4, 7]
