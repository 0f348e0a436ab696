"""START_FROM on data with some of the classes of the earlier run, or in another order: the model keeps its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import adapt_core
from adapt_core.errors import InputError

Run = Callable[..., Any]
Row = dict[str, Any]

TEXTS = ["Where do I find the laser cutter?", "My loan is overdue.", "The room is cold."]
BARELY = {"MAX_STEPS": 1, "EPOCHS": 1, "LR": 1e-7}
"""A run that changes no prediction."""


def write(path: Path, rows: list[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def labels_of(folder: Path) -> list[str]:
    config = json.loads((folder / "model" / "config.json").read_text(encoding="utf-8"))
    return [config["id2label"][str(number)] for number in range(len(config["id2label"]))]


@pytest.fixture
def further(keys: Row, tmp_path: Path) -> Run:
    """Runs the data of a file from the run in `run`, into a folder of its own, and returns its folder."""

    def run_with(data: str, **changes: Any) -> Path:
        kept = {key: value for key, value in keys.items() if key not in ("TASK", "MODEL_PATH", "MAX_TRAIN_SAMPLES")}
        folder = tmp_path / Path(data).stem / "further"
        own = {"CUSTOM_DATASET_PATH": data, "START_FROM": str(tmp_path / "run"), "OUTPUT_DIR": str(folder)}
        adapt_core.run({**kept, "SAVE_METHOD": "save_pretrained", "VERDICT": "none", **own, **changes})
        return folder

    return run_with


def same_predictions(one: Path, other: Path, inputs: list[Any] = TEXTS) -> None:
    for first, second in zip(adapt_core.predict(one, inputs), adapt_core.predict(other, inputs), strict=True):
        scores = [found.get("scores", found.get("score")) for found in (first, second)]
        assert {**first, "scores": 0, "score": 0} == {**second, "scores": 0, "score": 0}
        assert scores[0] == pytest.approx(scores[1], abs=1e-3)


class TestOneLabel:
    @pytest.fixture
    def rows(self, inbox: Path, run: Run) -> list[Row]:
        """The rows of a finished run, of the classes `known`."""
        run(SAVE_METHOD="save_pretrained", CALIBRATE=False)
        return [json.loads(line) for line in (inbox / "train.jsonl").open(encoding="utf-8")]

    @pytest.fixture
    def known(self, rows: list[Row], tmp_path: Path) -> list[str]:
        known = labels_of(tmp_path / "run")
        assert len(known) > 2
        return known

    def test_fewer_classes_train_and_all_are_kept(
        self, rows: list[Row], known: list[str], further: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        data = write(tmp_path / "fewer.jsonl", [row for row in rows if row["label"] != known[0]])
        folder = further(data, CALIBRATE=False, **BARELY)
        assert labels_of(folder) == known
        assert f"START_FROM: the training split has no row of 1 class ({known[0]}) that the model knows" in caplog.text
        same_predictions(tmp_path / "run", folder)

    def test_they_are_learned_as_the_classes_that_they_are(
        self, rows: list[Row], known: list[str], further: Run, tmp_path: Path
    ) -> None:
        """One class alone, the last by name, is enough; the model comes to give it."""
        data = write(tmp_path / "one.jsonl", [row for row in rows if row["label"] == known[-1]])
        folder = further(data, EPOCHS=6, LR=1e-2, CALIBRATE=False)
        assert {found["label"] for found in adapt_core.predict(folder, TEXTS)} == {known[-1]}

    def test_numbers_of_a_file_in_another_order_mean_its_names(
        self, rows: list[Row], known: list[str], further: Run, tmp_path: Path
    ) -> None:
        """A parquet with ClassLabel names its classes backwards, and one that no row has and nobody knows."""
        names = ["never", *known[::-1]]
        feature = datasets.ClassLabel(names=names)
        table = {"text": [row["text"] for row in rows], "label": [names.index(row["label"]) for row in rows]}
        for place in ("words", "numbers"):
            (tmp_path / place).mkdir()
            write(tmp_path / place / "validation.jsonl", rows[:32])
        write(tmp_path / "words" / "train.jsonl", rows)
        numbered = datasets.Dataset.from_dict(table).cast_column("label", feature)
        numbered.to_parquet(str(tmp_path / "numbers" / "train.parquet"))
        words, numbers = (
            further(str(tmp_path / place), EPOCHS=2, LR=1e-2, MAX_STEPS=8) for place in ("words", "numbers")
        )
        assert labels_of(numbers) == labels_of(words) == known
        same_predictions(numbers, words)

    def test_an_unknown_class_is_refused_by_name(
        self, rows: list[Row], known: list[str], further: Run, tmp_path: Path
    ) -> None:
        new = [{**row, "label": "never seen"} if row["label"] == known[1] else row for row in rows]
        said = r"1 class \(never seen\) that the model of the run does not know .*Leave these rows out"
        with pytest.raises(InputError, match=said):
            further(write(tmp_path / "new.jsonl", new))

    def test_another_kind_of_problem_is_refused(self, rows: list[Row], further: Run, tmp_path: Path) -> None:
        data = write(tmp_path / "rows.jsonl", rows)
        with pytest.raises(InputError, match="problem_type: multi_label, and the model of START_FROM learned single_l"):
            further(data, problem_type="multi_label")


class TestSeveralLabels:
    """A file whose rows happen to have one label each still trains the model of several."""

    @pytest.fixture
    def rows(self, inbox: Path, run: Run, tmp_path: Path) -> list[Row]:
        made = [json.loads(line) for line in (inbox / "train.jsonl").open(encoding="utf-8")]
        several = [{**row, "label": [row["label"], "text"]} for row in made]
        run(CUSTOM_DATASET_PATH=write(tmp_path / "several.jsonl", several), SAVE_METHOD="save_pretrained")
        return made

    def test_they_keep_their_places(self, rows: list[Row], further: Run, tmp_path: Path) -> None:
        known = labels_of(tmp_path / "run")
        assert "text" in known
        folder = further(write(tmp_path / "fewer.jsonl", [row for row in rows if row["label"] != known[0]]), **BARELY)
        assert labels_of(folder) == known
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert result["data"]["problem_type"].startswith("multi_label")
        first, second = (adapt_core.predict(place, TEXTS) for place in (tmp_path / "run", folder))
        for one, other in zip(first, second, strict=True):
            assert one["scores"] == pytest.approx(other["scores"], abs=1e-3)

    def test_an_unknown_one_is_refused(self, rows: list[Row], further: Run, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"2 classes \(new, other\) that the model"):
            further(write(tmp_path / "new.jsonl", [{**row, "label": ["text", "other", "new"]} for row in rows]))


WORDS = {"red": "B-COL", "green": "B-COL", "dog": "B-ANI", "cat": "B-ANI"}
SENTENCE = ["the", "red", "dog", "sees", "a", "green", "cat", "now"]


class TestTags:
    @pytest.fixture
    def rows(self, run: Run, tmp_path: Path) -> list[Row]:
        """The rows of a finished run with B-ANI, B-COL and O."""
        turned = [SENTENCE[number % 4 :] + SENTENCE[: number % 4] for number in range(48)]
        made = [{"tokens": words, "ner_tags": [WORDS.get(word, "O") for word in words]} for words in turned]
        run(
            CUSTOM_DATASET_PATH=write(tmp_path / "all.jsonl", made),
            subtask="ner",
            SAVE_METHOD="save_pretrained",
            EPOCHS=6,
        )
        assert labels_of(tmp_path / "run") == ["B-ANI", "B-COL", "O"]
        return made

    def test_fewer_tags_train_and_all_are_kept(self, rows: list[Row], further: Run, tmp_path: Path) -> None:
        fewer = [{**row, "ner_tags": [tag.replace("B-ANI", "O") for tag in row["ner_tags"]]} for row in rows]
        folder = further(write(tmp_path / "fewer.jsonl", fewer), **BARELY)
        assert labels_of(folder) == ["B-ANI", "B-COL", "O"]
        same_predictions(tmp_path / "run", folder, ["the red dog"])

    def test_they_are_learned_as_the_tags_that_they_are(self, rows: list[Row], further: Run, tmp_path: Path) -> None:
        colours = [{**row, "ner_tags": ["B-COL"] * len(row["tokens"])} for row in rows]
        folder = further(write(tmp_path / "colours.jsonl", colours), EPOCHS=6, LR=1e-2)
        assert adapt_core.predict(folder, ["the red dog"])[0]["tags"] == ["B-COL"] * 3

    def test_numbers_of_a_file_mean_its_names(self, rows: list[Row], further: Run, tmp_path: Path) -> None:
        names = ["B-NEVER", "O", "B-COL"]
        feature = datasets.List(datasets.ClassLabel(names=names))
        tags = [[names.index(tag.replace("B-ANI", "O")) for tag in row["ner_tags"]] for row in rows]
        table = datasets.Dataset.from_dict({"tokens": [row["tokens"] for row in rows], "ner_tags": tags})
        table.cast_column("ner_tags", feature).to_parquet(str(tmp_path / "numbered.parquet"))
        folder = further(str(tmp_path / "numbered.parquet"), **BARELY)
        assert labels_of(folder) == ["B-ANI", "B-COL", "O"]
        same_predictions(tmp_path / "run", folder, ["the red dog"])

    def test_an_unknown_tag_is_refused_by_name(self, rows: list[Row], further: Run, tmp_path: Path) -> None:
        new = [*rows, {"tokens": ["up"], "ner_tags": ["B-DIR"]}]
        with pytest.raises(InputError, match=r"1 class \(B-DIR\) that the model of the run does not know"):
            further(write(tmp_path / "new.jsonl", new))
