"""SEEDS: the same run with several seeds, and the spread of its metrics; a killed one goes on where it was."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.cli.tables import metrics_table
from adapt_core.errors import ConfigError, InputError

from .seq2seq_models import write
from .test_uneven_batches import text

pytest.importorskip("scipy", reason="SEEDS needs scipy")


@pytest.fixture
def seeds(tiny_encoder: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs 18 rows of three classes with two seeds."""
    write(tmp_path / "data", train=[text(number) for number in range(18)], validation=[text(n) for n in range(30, 39)])

    def run(*, resume: bool = False, **changes: Any) -> Any:
        keys = {
            "TASK": "text_classification",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": str(tmp_path / "data"),
            "SEEDS": 2,
            "SEED": 7,
            "EPOCHS": 1,
            "NUM_WORKERS": 0,
            "OUTPUT_DIR": str(tmp_path / "run"),
        }
        return adapt_core.run({**keys, **changes}, resume=resume)

    return run


def test_each_seed_is_the_run_that_it_is_alone_and_the_whole_has_their_spread(
    seeds: Callable[..., Any], tmp_path: Path
) -> None:
    result = seeds()
    alone = [seeds(SEEDS=None, SEED=seed, OUTPUT_DIR=str(tmp_path / f"alone-{seed}")) for seed in (7, 8)]
    found = result.seeds["after"]["loss"]
    assert found["values"] == [one.metrics["after"]["loss"] for one in alone]
    assert found["values"][0] != found["values"][1]
    assert result.metrics["after"]["loss"] == found["mean"] == pytest.approx(statistics.fmean(found["values"]))
    half = 12.706205 * statistics.stdev(found["values"]) / 2**0.5  # t of one degree of freedom
    assert found["high"] == pytest.approx(found["mean"] + half)
    held = json.loads((tmp_path / "run" / "result.json").read_text())
    assert held["artifacts"] == {"seed 7": "seed-7", "seed 8": "seed-8"}
    assert held["seeds"]["after"]["loss"] == found
    assert "validation loss" in metrics_table(result)
    assert "seeds" in metrics_table(result)
    assert "seed-8" in (tmp_path / "run" / "README.md").read_text()


def test_seeds_that_have_finished_are_not_run_again(seeds: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from adapt_core.hf.loop.callbacks import MetricsCallback

    class Killed(Exception):
        """Thrown into the second run."""

    begun = []
    on_train_begin = MetricsCallback.on_train_begin

    def begin(self: Any, args: Any, state: Any, control: Any, **options: Any) -> None:
        begun.append(Path(args.output_dir).parent.name)
        if begun == ["seed-7", "seed-8"]:
            raise Killed
        on_train_begin(self, args, state, control, **options)

    monkeypatch.setattr(MetricsCallback, "on_train_begin", begin)
    with pytest.raises(Killed):
        seeds()
    with pytest.raises(InputError, match="holds unfinished seeds"):
        seeds()
    with pytest.raises(InputError, match=r"seeds in .* cannot be resumed with other values of EPOCHS"):
        seeds(resume=True, EPOCHS=2)
    assert seeds(resume=True).status == "finished"
    assert begun == ["seed-7", "seed-8", "seed-8"]
    assert seeds(resume=True).seeds["after"]["loss"]["values"]
    assert len(begun) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"FOLDS": 3}, "repeats a run, and FOLDS is several"),
        ({"DO_TRAIN": False}, "trains once for each seed"),
        ({"PUSH_TO_HUB": "me/it"}, "makes several models"),
        ({"SEEDS": 1}, "SEEDS"),
    ],
)
def test_seeds_that_make_no_sense_are_refused(seeds: Callable[..., Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        seeds(**changes)
