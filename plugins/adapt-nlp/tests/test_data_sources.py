"""Where data may come from, and what is made of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ROWS = [{"text": f"note {i} on {word}, please", "label": word} for i in range(20) for word in ("tools", "books")]


def dataset(rows: list[dict[str, Any]] = ROWS) -> Any:
    from datasets import Dataset

    return Dataset.from_list(rows)


def as_csv(path: Path, rows: list[dict[str, Any]], separator: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def make(kind: str, folder: Path) -> Path:
    """The rows in one of the forms that CUSTOM_DATASET_PATH takes."""
    from datasets import DatasetDict

    folder.mkdir()
    if kind == "save_to_disk":
        DatasetDict({"train": dataset(ROWS[:30]), "validation": dataset(ROWS[30:])}).save_to_disk(str(folder))
    elif kind == "save_to_disk, one split":
        dataset().save_to_disk(str(folder))
    elif kind == "folder of csv":
        as_csv(folder / "train.csv", ROWS[:30])
        as_csv(folder / "dev.csv", ROWS[30:])
    elif kind == "folder of folders":
        for split, rows in (("train", ROWS[:30]), ("val", ROWS[30:])):
            (folder / split).mkdir()
            as_csv(folder / split / "part-1.tsv", rows[:10], "\t")
            as_csv(folder / split / "part-2.tsv", rows[10:] or rows, "\t")
    elif kind == "parquet file":
        dataset().to_parquet(str(folder / "all.parquet"))
        return folder / "all.parquet"
    elif kind == "json list":
        (folder / "train.json").write_text(json.dumps(ROWS), encoding="utf-8")
    elif kind == "one file of any name":
        as_csv(folder / "inbox.csv", ROWS)
    return folder


@pytest.mark.parametrize(
    "kind",
    [
        "save_to_disk",
        "save_to_disk, one split",
        "folder of csv",
        "folder of folders",
        "parquet file",
        "json list",
        "one file of any name",
    ],
)
def test_every_form_of_local_data_is_read(run: Run, tmp_path: Path, kind: str) -> None:
    result = run(CUSTOM_DATASET_PATH=str(make(kind, tmp_path / "data")), MAX_TRAIN_SAMPLES=None, DATA_SPLIT=0.25)
    assert result.data["classes"] == 2
    assert (result.data["train_rows"], result.data["validation_rows"]) in {(30, 10), (30, 20)}


def test_a_packaged_builder_and_its_arguments(run: Run, keys: dict[str, Any], tmp_path: Path) -> None:
    as_csv(tmp_path / "a.csv", ROWS)
    del keys["CUSTOM_DATASET_PATH"]
    files = {"train": str(tmp_path / "a.csv")}
    assert run(DATASET="csv", DATASET_CONFIG={"data_files": files}, DO_TRAIN=False).data["classes"] == 2


def test_dirs_of_splits_lie_inside_the_path_or_anywhere(run: Run, tmp_path: Path) -> None:
    folder = make("folder of folders", tmp_path / "data")
    as_csv(tmp_path / "elsewhere.csv", ROWS[:6])
    result = run(CUSTOM_DATASET_PATH=str(folder), TRAIN_DIR="train", VAL_DIR=str(tmp_path / "elsewhere.csv"))
    assert (result.data["train_rows"], result.data["validation_rows"]) == (30, 6)


@pytest.mark.parametrize(("share", "held"), [(0.5, 20), (0.1, 4), (None, 4)])
def test_data_split_holds_out_a_share_of_each_class(run: Run, tmp_path: Path, share: float | None, held: int) -> None:
    as_csv(tmp_path / "a.csv", ROWS)
    result = run(CUSTOM_DATASET_PATH=str(tmp_path / "a.csv"), DATA_SPLIT=share, DO_TRAIN=False)
    assert result.data["validation_rows"] == held


def test_a_class_with_one_row_stays_in_training(run: Run, tmp_path: Path) -> None:
    as_csv(tmp_path / "a.csv", [*ROWS, {"text": "the only one", "label": "rare"}])
    assert run(CUSTOM_DATASET_PATH=str(tmp_path / "a.csv"), DATA_SPLIT=0.5).data["classes"] == 3


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([3, 1, 2], ["1", "2", "3"]),
        (["b", "a", "NA"], ["NA", "a", "b"]),
        ([True, False, True], ["False", "True"]),
        ([10, 9, 8], ["8", "9", "10"]),
    ],
)
def test_labels_may_be_text_or_whole_numbers(run: Run, tmp_path: Path, labels: list[Any], names: list[str]) -> None:
    rows = [{"text": f"t {i}", "label": labels[i % 3]} for i in range(30)]
    dataset(rows).to_parquet(str(tmp_path / "a.parquet"))
    run(CUSTOM_DATASET_PATH=str(tmp_path / "a.parquet"))
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert [config["id2label"][str(i)] for i in range(len(names))] == names


def test_class_label_features_keep_their_names_and_ids(run: Run, tmp_path: Path) -> None:
    from datasets import ClassLabel

    rows = [{"text": f"t {i}", "label": i % 2} for i in range(30)]
    dataset(rows).cast_column("label", ClassLabel(names=["zebra", "ape", "unused"])).save_to_disk(str(tmp_path / "d"))
    run(CUSTOM_DATASET_PATH=str(tmp_path / "d"))
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert list(config["id2label"].values()) == ["zebra", "ape", "unused"]


def test_splits_that_number_their_classes_apart_are_learned_and_scored_by_name(keys: Any, tmp_path: Path) -> None:
    from datasets import ClassLabel

    import adapt_core
    from adapt_core.execution.components import make_task

    for split, names in (("train", ["red", "green", "blue"]), ("validation", ["blue", "red"])):
        rows = [{"text": f"{name} {number}", "label": names.index(name)} for number in range(3) for name in names]
        dataset(rows).cast_column("label", ClassLabel(names=names)).to_parquet(str(tmp_path / f"{split}.parquet"))
    data = make_task(adapt_core.check({**keys, "CUSTOM_DATASET_PATH": str(tmp_path)})).load_data()
    assert data.labels == ("red", "green", "blue")
    for split in ("train", "validation"):
        said = [text.split()[0] for text in data.rows[split]["text"]]
        assert [data.labels[number] for number in getattr(data, split)["labels"]] == said


def test_columns_go_by_their_names(run: Run, tmp_path: Path) -> None:
    rows = [{"subject": row["text"], "queue": row["label"]} for row in ROWS]
    as_csv(tmp_path / "a.csv", rows)
    where = str(tmp_path / "a.csv")
    assert run(CUSTOM_DATASET_PATH=where, input_column="subject", target_column="queue").data["classes"] == 2
    named = run(
        CUSTOM_DATASET_PATH=where, dataset_text_field="subject", target_column="queue", OVERWRITE_OUTPUT_DIR=True
    )
    assert named.data["classes"] == 2


@pytest.mark.parametrize("form", [{"FORMAT_STRING": "{a} | {b}"}, {"FORMAT_STRING": "{} | {}", "FORMAT_NAMES": "a, b"}])
def test_format_string_builds_the_text_and_empty_columns_are_no_fault(
    run: Run, tmp_path: Path, form: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_core.hf.data import rows as prepared

    seen: list[Any] = []
    cached_map = prepared.cached_map

    def watch(rows: Any, function: Any, *rest: Any) -> Any:
        seen.extend(function(rows[:2], [0, 1])["input_ids"])
        return cached_map(rows, function, *rest)

    monkeypatch.setattr(prepared, "cached_map", watch)
    rows = [{"a": row["text"], "b": None if i % 2 else "tail", "label": row["label"]} for i, row in enumerate(ROWS)]
    dataset(rows).to_parquet(str(tmp_path / "a.parquet"))
    assert run(CUSTOM_DATASET_PATH=str(tmp_path / "a.parquet"), **form).data["train_dropped"] == 0
    assert len(seen[0]) != len(seen[1])


def test_the_number_of_samples_is_limited(run: Run) -> None:
    result = run(MAX_TRAIN_SAMPLES=10, MAX_EVAL_SAMPLES=7)
    assert (result.data["train_rows"], result.data["validation_rows"]) == (10, 7)


@pytest.mark.parametrize(("name", "classes"), [("sst5", 5), ("ag_news", 4)])
def test_the_shared_sets_are_read_whole(run: Run, shared_data: Path, name: str, classes: int) -> None:
    result = run(
        CUSTOM_DATASET_PATH=str(shared_data / name), MAX_TRAIN_SAMPLES=None, MAX_EVAL_SAMPLES=64, DO_TRAIN=False
    )
    assert result.data["classes"] == classes
