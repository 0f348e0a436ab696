"""predictions.parquet of detectors: objects and predictions of each image, from which runs are compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import adapt_core
from adapt_core.report.paired import pairs
from adapt_core.run_folder.paths import RunFolder
from adapt_core.uncertainty.kept_rows import read_rows
from adapt_core.uncertainty.matched_objects import matches_of, mean_precisions

from .detectors import SMALL_RTMDET, lines

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")
pytest.importorskip("pyarrow")


def measured(folder: Path) -> list[float]:
    """The metrics that follow from what a run folder has of each image."""
    kept = read_rows(RunFolder(folder))
    assert kept is not None
    matches = matches_of(kept.columns["expected"], kept.columns["predicted"])
    return list(mean_precisions(matches, numpy.ones(len(kept))))


def test_the_metrics_of_a_run_follow_from_what_it_keeps_of_each_image(trained: Path) -> None:
    kept = read_rows(RunFolder(trained))
    assert kept is not None
    assert kept.kind == "objects"
    assert kept.columns["row"] == list(range(1, 17))
    assert {one["label"] for image in kept.columns["expected"] for one in image} == {"red", "blue"}
    after = json.loads((trained / "result.json").read_text())["metrics"]["after"]
    assert measured(trained) == pytest.approx([after[name] for name in kept.averaged])
    assert kept.averaged == ("mAP", "AP50", "AP75")
    for right, confidence in zip(kept.columns["right"], kept.columns["confidence"], strict=True):
        assert 0 <= confidence <= 1
        assert not (right and confidence)


def test_the_report_shows_the_images_with_the_most_confident_mistakes(trained: Path) -> None:
    kept = read_rows(RunFolder(trained))
    assert kept is not None
    [one] = json.loads((trained / "evaluation.json").read_text())["after"]["worst"]
    assert one["title"] == "most confident mistakes"
    confidences = [row["confidence"] for row in one["rows"]]
    assert confidences == sorted(confidences, reverse=True)
    for row in one["rows"]:
        assert not kept.columns["right"][row["row"] - 1]
        assert row["input"] == f"{row['row']}.png"
        assert row["expected"].startswith("data:image/jpeg;base64,")
        assert row["predicted"] != row["expected"]


def test_each_evaluation_has_intervals_in_its_line(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run(EPOCHS=20, augment=False, INTERVAL="steps", interval_steps=40)
    evaluated = lines(tmp_path / "run", "eval")
    assert len(evaluated) == 2
    for line in (*evaluated, *lines(tmp_path / "run", "after")):
        low, high = line["intervals"]["AP50"]
        assert low <= line["AP50"] <= high
    assert lines(tmp_path / "run", "after")[0]["intervals"] == result.intervals["after"]


def test_two_detectors_are_tested_on_the_same_images_and_not_on_others(
    trained: Path, squares: Path, tmp_path: Path
) -> None:
    def untrained(data: Path, name: str) -> Path:
        keys = {
            "TASK": "object_detection",
            "MODEL_PATH": "rtmdet_tiny_8xb32-300e_coco",
            "cfg_options": SMALL_RTMDET,
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": str(tmp_path / name),
            "image_size": 96,
            "DO_TRAIN": False,
            "NUM_WORKERS": 0,
        }
        adapt_core.run(keys)
        return tmp_path / name

    moved = shutil.copytree(squares, tmp_path / "moved")
    runs = [trained, untrained(moved, "same")]
    [pair] = pairs([read_rows(RunFolder(folder)) for folder in runs])
    one, other = (measured(folder) for folder in runs)
    assert pair.tests["AP50"].difference == pytest.approx(other[1] - one[1])
    assert pair.tests["AP50"].p < 0.01

    annotations = json.loads((moved / "val.json").read_text())
    annotations["annotations"][0]["bbox"][2] -= 1
    (moved / "val.json").write_text(json.dumps(annotations))
    [pair] = pairs([read_rows(RunFolder(folder)) for folder in (trained, untrained(moved, "other"))])
    assert pair.why_not == "not tested: the rows differ, 15 of 16 and 16 in common"
