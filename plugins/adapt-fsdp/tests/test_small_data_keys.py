"""Keys for little data in two processes: what one process with twice the batch does, and the same on both ranks.

CLASS_SAMPLING, REPEAT_THRESHOLD, ADD_TOKENS with LoRA, starts from data, BUDGET: each with a schedule by a dotted name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.result import RunResult

from . import jobs
from .rank_weights import digests
from .reference_runs import alone, together

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

Keys = dict[str, Any]

SCHEDULE = {
    "SCHEDULER_TYPE": "transformers:get_cosine_with_min_lr_schedule_with_warmup",
    "SCHEDULER_OPTIONS": {"min_lr_rate": 0.5},
    "INTERVAL": "no",
    "MAX_GRAD_NORM": 0,
}
"""Ends at half of LR."""


def skewed_texts(folder: Path, inbox: Path) -> Keys:
    """56 texts of one class and 8 of another, as often as each other in an epoch."""
    lines = [json.loads(line) for line in (inbox / "train.jsonl").open(encoding="utf-8")]
    first, second = sorted({line["label"] for line in lines})[:2]
    many, few = ([line for line in lines if line["label"] == label] for label in (first, second))
    for name, rows in (("train", [*many[:56], *few[:8]]), ("validation", [*many[-9:], *few[-9:]])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {"CUSTOM_DATASET_PATH": str(folder), "CLASS_SAMPLING": "balanced"}


def rare_objects(folder: Path, inbox: Path) -> Keys:
    """Blue squares in 4 of 64 images, each of which comes 4 times in an epoch of 76: no whole number of batches."""
    keys = jobs.object_detection(folder, inbox)
    place = folder / "squares" / "train.json"
    data = json.loads(place.read_text())
    kept = [one for one in data["annotations"] if one["category_id"] == 1 or one["image_id"] <= 4]
    place.write_text(json.dumps({**data, "annotations": kept}))
    return {**keys, "REPEAT_THRESHOLD": 1.0, "LR": 1e-3}


def new_tokens(folder: Path, inbox: Path) -> Keys:
    """A Llama that learns two tokens beside its LoRA."""
    pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
    keys = jobs.text_generation(folder, inbox)
    return {**keys, "method": "LoRA", "r": 4, "dropout": 0, "ADD_TOKENS": ["laser cutter", "loan"]}


def starting_by(start: str) -> Callable[[Path, Path], Keys]:
    def job(folder: Path, inbox: Path) -> Keys:
        """LoRA whose start both processes compute from the training rows."""
        pytest.importorskip("adapt_peft_ssf", reason="needs adapt-peft-ssf")
        return {"method": "LoRA", "r": 4, "dropout": 0, "init_lora_weights": start, "start_rows": 48}

    return job


STARTS = ("eva", "corda", "lora_ga")
HALVES = {"BATCH_SIZE": 8, "GRADIENT_ACCUMULATION_STEPS": 2}
"""The batch of two processes, one half after the other: these starts look at batches of BATCH_SIZE."""

CASES: dict[str, tuple[Callable[[Path, Path], Keys], Keys]] = {
    "CLASS_SAMPLING": (skewed_texts, {"CLASS_SAMPLING": None}),
    "REPEAT_THRESHOLD": (rare_objects, {"REPEAT_THRESHOLD": None}),
    "ADD_TOKENS": (new_tokens, {"ADD_TOKENS": None}),
    **{start: (starting_by(start), {"init_lora_weights": True, "start_rows": None}) for start in STARTS},
}
"""The job, and the keys without what it is about."""

BOUNDED = {"BUDGET of texts": skewed_texts, "BUDGET of boxes": rare_objects}


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, inbox: Path) -> dict[str, Keys]:
    """Case -> its config, which has been run in two processes."""
    folder = tmp_path_factory.mktemp("small-data")
    made: dict[str, Keys] = {}
    for case, job in {**{case: job for case, (job, _) in CASES.items()}, **BOUNDED}.items():
        home = folder / case
        home.mkdir()
        try:
            changes = job(home, inbox)
        except pytest.skip.Exception:
            continue
        made[case] = {**jobs.in_two_processes(tiny_encoder, inbox, home), **SCHEDULE, **changes}
        if case in BOUNDED:
            made[case] |= {"EPOCHS": 1000, "BUDGET": "30s", "EVALUATE_BEFORE": False, "MAX_EVAL_SAMPLES": 4}
    together(list(made.values()), folder)
    return made


def of(configs: dict[str, Keys], case: str) -> Keys:
    return configs[case] if case in configs else pytest.skip(f"what {case} needs is not installed")


def trained(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["phase"] == "train"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def difference(one: Path, other: Path) -> float:
    ours, theirs = weights(one), weights(other)
    assert set(ours) == set(theirs)
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_trains(configs: dict[str, Keys], case: str, tmp_path: Path) -> None:
    keys = of(configs, case)
    folder = Path(keys["OUTPUT_DIR"])
    assert digests(folder)[0] == digests(folder)[1]
    single = alone(keys, tmp_path / "alone", **(HALVES if case in STARTS else {}))
    result = RunResult.from_json((folder / "result.json").read_text(encoding="utf-8"))
    assert result.steps == single.steps
    for name in ("loss", "learning_rate"):
        ours, theirs = ([line[name] for line in trained(place)] for place in (folder, tmp_path / "alone"))
        assert ours == pytest.approx(theirs, rel=2e-5, abs=1e-6)
    assert trained(folder)[-1]["learning_rate"] >= 0.5 * keys["LR"]
    assert difference(folder, tmp_path / "alone") <= 5e-5


@pytest.mark.parametrize("case", CASES)
def test_and_that_is_what_the_key_says(configs: dict[str, Keys], case: str, tmp_path: Path) -> None:
    """Without the key the training losses are others."""
    keys = of(configs, case)
    alone({**keys, **CASES[case][1]}, tmp_path / "without")
    ours, without = (
        [line["loss"] for line in trained(place)] for place in (Path(keys["OUTPUT_DIR"]), tmp_path / "without")
    )
    assert ours != pytest.approx(without, rel=1e-4)


@pytest.mark.parametrize("case", BOUNDED)
def test_a_budget_ends_both_at_one_step_and_with_the_schedule(configs: dict[str, Keys], case: str) -> None:
    """The slower rank decides: of 30 s each of its steps takes 1.5."""
    folder = Path(of(configs, case)["OUTPUT_DIR"])
    result = RunResult.from_json((folder / "result.json").read_text(encoding="utf-8"))
    assert digests(folder)[0] == digests(folder)[1]
    rates = [line["learning_rate"] for line in trained(folder)]
    assert len(rates) == result.steps < result.planned_steps
    assert 5 <= result.steps <= 20
    assert rates[-1] == pytest.approx(0.5 * rates[0], rel=0.05)
