"""Counts of a model that knows something are, in two processes, exactly those of one: no row is counted twice."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core

from . import jobs
from .reference_runs import OF_SEVERAL, alone, together

Keys = dict[str, Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def question_answering(folder: Path, inbox: Path) -> Keys:
    """The answer is the first word of the context or, in a third of the rows, its second: some are guessed right."""
    draw = random.Random(0)
    words = ["badge", "card", "class", "date", "door", "hall", "key", "lesson", "room", "table"]
    for name, count in (("train", 192), ("validation", 37)):
        rows = []
        for number in range(count):
            context = draw.sample(words, 6)
            place = 1 if number % 3 == 0 else 0
            start = place * (len(context[0]) + 1)
            rows.append(
                {
                    "id": f"{name}-{number}",
                    "context": " ".join(context),
                    "question": "what is it?",
                    "answers": {"text": [context[place]], "answer_start": [start]},
                }
            )
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {"TASK": "question_answering", "CUSTOM_DATASET_PATH": str(folder), "max_length": 64, "doc_stride": 16}


CASES: dict[str, tuple[Callable[[Path, Path], Keys], Keys, tuple[str, ...]]] = {
    "text classification": (jobs.text_classification, {"LR": 3e-3, "EPOCHS": 6}, ("accuracy", "macro_f1")),
    "question answering": (question_answering, {"LR": 3e-3, "EPOCHS": 6}, ("exact_match", "f1")),
    "object detection": (jobs.detection_by_rtmdet, {"LR": 4e-3, "EPOCHS": 20, "BATCH_SIZE": 2}, ("mAP", "AP50")),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, inbox: Path) -> dict[str, Keys]:
    """Case -> a config that begins with a trained model, which has been run in two processes."""
    folder = tmp_path_factory.mktemp("trained")
    made: dict[str, Keys] = {}
    for case, (job, changes, _) in CASES.items():
        home = folder / case.replace(" ", "-")
        home.mkdir()
        try:
            keys = {**jobs.in_two_processes(tiny_encoder, inbox, home), "MAX_TRAIN_SAMPLES": None, **job(home, inbox)}
        except pytest.skip.Exception:
            continue
        plain = {key: value for key, value in keys.items() if key not in OF_SEVERAL}
        learning = {"OPTIMIZER": "adamw_torch", "INTERVAL": "no", "OUTPUT_DIR": str(home / "learned"), **changes}
        adapt_core.run({**plain, **learning})
        keys.pop("cfg_options", None)
        made[case] = {**keys, "MODEL_PATH": str(home / "learned" / "model"), "MAX_STEPS": 1, "INTERVAL": "no"}
    together(list(made.values()), folder)
    return made


@pytest.mark.parametrize("case", CASES)
def test_counts_are_those_of_one_process(measured: dict[str, Keys], case: str) -> None:
    if case not in measured:
        pytest.skip("needs adapt-vision-mm[detection]")
    config, names = measured[case], CASES[case][2]
    run = Path(config["OUTPUT_DIR"])
    ours = json.loads((run / "result.json").read_text(encoding="utf-8"))["metrics"]["before"]
    theirs = alone(config, run.with_name("alone")).metrics["before"]
    assert theirs is not None
    print(case, {name: ours[name] for name in names})
    assert [ours[name] for name in names] == [theirs[name] for name in names]
    assert all(ours[name] > 0 for name in names)
