"""Images of several data sets in one run: class folders and tables, metrics of each, weights, a resume, the cache."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.cache import cache_folder

from ..pictures import COLOURS, counts, picture

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that no other test has filled."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def table(folder: Path, names: Sequence[str], split: str = "train", column: str = "label") -> str:
    """Write pictures and a table of their relative paths, which are the same in each folder."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, name in enumerate(names):
        picture(name, number).save(folder / "files" / f"{split}-{number}.png")
        rows.append({"image": f"files/{split}-{number}.png", column: name})
    (folder / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(folder)


def parquet(folder: Path, names: Sequence[str], split: str = "train") -> str:
    """Write a table of encoded pictures, whose classes are numbered in an order of its own."""
    import datasets

    folder.mkdir(exist_ok=True)
    pixels = []
    for number, name in enumerate(names):
        file = io.BytesIO()
        picture(name, number).save(file, "PNG")
        pixels.append({"bytes": file.getvalue(), "path": None})
    own = sorted(set(names), reverse=True)
    features = datasets.Features({"photo": datasets.Image(), "label": datasets.ClassLabel(names=own)})
    rows = datasets.Dataset.from_dict({"photo": pixels, "label": [own.index(name) for name in names]}, features)
    rows.to_parquet(str(folder / f"{split}.parquet"))
    return str(folder)


def colour_of(image: Any, base: tuple[Path, ...]) -> str:
    from adapt_vision_mm.image_classification.sources import image_source

    source = image_source(image, base)
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
        mean = numpy.asarray(opened.convert("RGB")).mean(axis=(0, 1))
    return min(COLOURS, key=lambda name: float(numpy.abs(mean - COLOURS[name]).sum()))


@pytest.mark.parametrize("kinds", ["tables", "folders", "mixed", "paths in images"])
def test_each_image_is_that_of_its_own_data_set(
    read: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: str
) -> None:
    one = table(tmp_path / "one", ["red", "blue", "red"])
    two = table(tmp_path / "two", ["blue", "green"], column="kind")
    renamed = {"path": two, "columns": {"kind": "label"}}
    folders = {"path": str(pictures), "name": "folders"}
    if kinds == "folders":
        places = [{"path": str(pictures / "train" / ".."), "name": "first"}, folders]
    elif kinds == "tables":
        places = [one, renamed]
    elif kinds == "paths in images":
        import datasets

        paths = ["files/train-1.png", "files/train-0.png"]
        rows = datasets.Dataset.from_dict({"image": paths, "label": ["blue", "red"]})
        with monkeypatch.context() as patch:
            patch.chdir(one)  # datasets looks at the files
            rows.cast_column("image", datasets.Image(decode=False)).save_to_disk(str(tmp_path / "saved"))
        shutil.copytree(tmp_path / "one" / "files", tmp_path / "saved" / "files")
        places = [renamed, str(tmp_path / "saved")]
    else:
        encoded = {"path": parquet(tmp_path / "encoded", ["green", "red"]), "columns": {"photo": "image"}}
        places = [one, folders, encoded, renamed]
    rows = read(CUSTOM_DATASET_PATH=places, DO_EVAL=False)
    wanted = {"tables": 5, "folders": 48, "mixed": 31, "paths in images": 4}
    assert counts(rows) == {"train": wanted[kinds]}
    assert rows.choice.targets.names == ("blue", "green", "red")
    images, targets = rows.columns("train")
    told = [rows.choice.targets.names[target] for target in targets]
    assert [colour_of(image, rows.base) for image in images] == told


def test_metrics_are_those_of_each_data_set_alone_and_of_all(run: Run, pictures: Path, tmp_path: Path) -> None:
    other = table(tmp_path / "other", ["red", "blue", "green", "red", "red"], "validation")
    table(tmp_path / "other", ["red", "blue", "green"])
    table(tmp_path / "all", [], "train")
    whole = [*sorted((pictures / "val").glob("*/*.jpg")), *sorted((tmp_path / "other" / "files").glob("validation-*"))]
    labels = [path.parent.name for path in whole[:12]] + ["red", "blue", "green", "red", "red"]
    lines = [json.dumps({"image": str(path), "label": label}) for path, label in zip(whole, labels, strict=True)]
    (tmp_path / "all" / "validation.jsonl").write_text("\n".join(lines))
    (tmp_path / "all" / "train.jsonl").write_text("\n".join(lines))

    def measure(name: str, place: Any) -> dict[str, float]:
        found = run(CUSTOM_DATASET_PATH=place, DO_TRAIN=False, BATCH_SIZE=4, OUTPUT_DIR=str(tmp_path / f"run-{name}"))
        return dict(found.metrics["before"])

    expected = measure("all", str(tmp_path / "all"))
    for name, place in (("pictures", str(pictures)), ("other", other)):
        expected.update({f"{metric}@{name}": value for metric, value in measure(name, place).items()})
    places = [{"path": str(pictures), "name": "pictures"}, other]
    assert measure("list", places) == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def mixed(run: Run, pictures: Path, tmp_path: Path) -> Run:
    """Runs class folders of 24 images and a table of 6, which is half of an epoch."""
    small = table(tmp_path / "small", ["red", "blue", "green"] * 2)
    table(tmp_path / "small", ["red", "blue", "green"], "validation")
    places = [{"path": str(pictures), "name": "folders"}, {"path": small, "weight": 1}]

    def start(name: str, *, resume: bool = False, **changes: Any) -> Any:
        return run(resume=resume, **{"CUSTOM_DATASET_PATH": places, "OUTPUT_DIR": str(tmp_path / name), **changes})

    return start


@pytest.mark.slow
def test_a_run_of_two_data_sets_is_resumed_on_the_same_images(
    mixed: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    from adapt_core.hf.loop.callbacks import MetricsCallback

    class Killed(Exception):
        """Thrown into a run to cut it off."""

    often = {"EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 4, "KEEP": "best", "METRIC_FOR_BEST": "accuracy@small"}
    whole = mixed("whole", **often)
    assert whole.steps == 12
    assert {"loss", "accuracy", "loss@small", "accuracy@small", "accuracy@folders"} <= set(whole.metrics["after"])
    assert whole.data["places"] == {
        "folders": {"train_rows": 24, "validation_rows": 12, "in_an_epoch": 24, "share": 0.5},
        "small": {"train_rows": 6, "validation_rows": 3, "in_an_epoch": 24, "share": 0.5},
    }
    assert "| folders | 24 | 12 | 24 | 0.5 |" in (tmp_path / "whole" / "README.md").read_text()
    on_step_end = MetricsCallback.on_step_end

    def stop(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        on_step_end(self, args, state, control, **options)
        if state.global_step == 9:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MetricsCallback, "on_step_end", stop)
        with pytest.raises(Killed):
            mixed("cut", **often)
    mixed("cut", resume=True, **often)
    held = [load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "cut")]
    assert held[0].keys() == held[1].keys()
    assert all(held[0][name].equal(held[1][name]) for name in held[0])


def test_a_frozen_part_that_is_computed_once_gives_the_losses_of_computing_it_at_every_step(
    mixed: Run, tmp_path: Path
) -> None:
    """Of training images; the validation images of several data sets are computed at every evaluation."""
    keys = {"method": "last_layer", "EPOCHS": 2, "LOGGING_STEPS": 1, "augmentation": False}
    once = mixed("once", **keys)
    stores = [json.loads(path.read_text())["rows"] for path in (cache_folder() / "frozen").glob("*/complete.json")]
    assert stores == [48]
    always = mixed("always", **keys, FROZEN_CACHE_GB=0)
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("once", "always")]
    losses = [[line["loss"] for line in map(json.loads, found) if "loss" in line] for found in lines]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert once.metrics["after"] == pytest.approx(always.metrics["after"], abs=1e-5)


def test_checks_of_the_data_see_each_image_once(prepared: Run, pictures: Path, tmp_path: Path) -> None:
    small = table(tmp_path / "small", ["red", "blue", "green"])
    places = [{"path": str(pictures), "name": "folders"}, {"path": small, "weight": 2}]
    task, data, loaded = prepared(CUSTOM_DATASET_PATH=places)
    assert (len(data.train), len(data.examples()["train"].images)) == (72, 27)
    assert data.train.name(24) == data.train.name(27) == "train-0.png"
    features = task.frozen_features(loaded.model, data, "train", [24, 25, 26], 60)
    _, alone, _ = prepared(CUSTOM_DATASET_PATH=small, DO_EVAL=False)
    assert features == pytest.approx(task.frozen_features(loaded.model, alone, "train", [0, 1, 2], 60), abs=1e-5)


def test_the_test_images_of_all_data_sets_are_predicted(run: Run, pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures, tmp_path / "folders")
    (tmp_path / "folders" / "test").mkdir()
    picture("red", 7).save(tmp_path / "folders" / "test" / "unknown.png")
    small = table(tmp_path / "small", ["red", "blue", "green"])
    table(tmp_path / "small", ["green", "red"], "test")
    result = run(CUSTOM_DATASET_PATH=[str(tmp_path / "folders"), small], DO_PREDICT=True, MAX_STEPS=1)
    assert result.data["places"]["small"]["test_rows"] == 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions" / "test.jsonl").open()]
    assert [Path(line["image"]).name for line in lines] == ["unknown.png", "test-0.png", "test-1.png"]
    assert all(line["label"] in COLOURS for line in lines)


# --- places that do not fit --------------------------------------------------------------------------------------


def test_a_bad_image_is_named_with_its_file_and_line(read: Run, pictures: Path, tmp_path: Path) -> None:
    small = table(tmp_path / "small", ["red", "blue"])
    (tmp_path / "small" / "files" / "train-1.png").write_bytes(b"")
    places = [{"path": str(pictures), "name": "folders"}, small]
    with pytest.raises(DataError, match=r"train row 26: .*small/files/train-1\.png .*small/train\.jsonl:2"):
        read(CUSTOM_DATASET_PATH=places)
    rows = read(CUSTOM_DATASET_PATH=places, SKIP_BAD_ROWS=True)
    assert rows.stats["train_dropped"] == 1
    (tmp_path / "spoiled" / "red").mkdir(parents=True)
    (tmp_path / "spoiled" / "red" / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"train row 25: .*spoiled/red/a\.jpg .*row 1 of .*spoiled"):
        read(CUSTOM_DATASET_PATH=[places[0], str(tmp_path / "spoiled")])


def test_problems_of_two_kinds_name_the_place(read: Run, pictures: Path, tmp_path: Path) -> None:
    numbers = table(tmp_path / "numbers", ["red", "blue"])
    lines = [{"image": f"files/train-{number}.png", "label": number + 0.5} for number in range(2)]
    (tmp_path / "numbers" / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    folders = {"path": str(pictures), "name": "folders"}
    with pytest.raises(InputError, match=r"numbers: problem_type: regression .*folders.* is single_label"):
        read(CUSTOM_DATASET_PATH=[folders, numbers])
    with pytest.raises(InputError, match=r"folders\): problem_type: regression: .* holds class folders"):
        read(CUSTOM_DATASET_PATH=[folders, numbers], problem_type="regression")
    whole = table(tmp_path / "whole", ["red", "blue"])
    lines = [{"image": f"files/train-{number}.png", "label": number} for number in range(2)]
    (tmp_path / "whole" / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(InputError, match=r"whole: problem_type: single_label"):
        read(CUSTOM_DATASET_PATH=[numbers, whole])
    found = read(CUSTOM_DATASET_PATH=[numbers, whole], problem_type="regression", DO_EVAL=False)
    assert found.columns("train")[1] == [[0.5], [1.5], [0.0], [1.0]]


def test_several_labels_are_of_all_places(read: Run, tmp_path: Path) -> None:
    places = []
    for name, labels in (("one", [["red"], ["red", "blue"]]), ("two", [["green"], []])):
        places.append(table(tmp_path / name, ["red", "blue"]))
        lines = [{"image": f"files/train-{number}.png", "label": given} for number, given in enumerate(labels)]
        (tmp_path / name / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows = read(CUSTOM_DATASET_PATH=places, DO_EVAL=False)
    assert (rows.choice.targets.kind, rows.choice.targets.names) == ("multi_label", ("blue", "green", "red"))
    assert rows.columns("train")[1] == [[0, 0, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_a_check_tells_what_does_not_fit_and_shows_the_places(keys: dict[str, Any], tmp_path: Path) -> None:
    from adapt_core import api

    for name in ("one", "two"):
        (tmp_path / name / "red").mkdir(parents=True)
        picture("red", 0).save(tmp_path / name / "red" / "0.png")
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    with pytest.raises(DataError, match="the training folders of all places have only one class, red"):
        api.check({**keys, "CUSTOM_DATASET_PATH": [one, two]})
    with pytest.raises(InputError, match="two: format: delimited is a format of files"):
        api.check({**keys, "CUSTOM_DATASET_PATH": [one, {"path": two, "format": "csv"}]})
    other = table(tmp_path / "other", ["blue", "green"], column="kind")
    with pytest.raises(DataError, match=r"other: .*the train split has no column 'label'; it has: image, kind"):
        api.check({**keys, "CUSTOM_DATASET_PATH": [one, other]})
    named = {"path": other, "columns": {"kind": "label"}}
    found = api.estimate(api.check({**keys, "CUSTOM_DATASET_PATH": [one, named], "DO_EVAL": False}))
    assert found.data["places"]["other"] == {"train_rows": 2, "in_an_epoch": 2, "share": pytest.approx(2 / 3)}
    assert {split: one["format"] for split, one in found.formats.items()} == {"train of other": "json"}
    assert found.classes == {"blue": 1, "green": 1, "red": 1}
