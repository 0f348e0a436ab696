"""CLASS_SAMPLING decides which texts an epoch shows; a resume and several processes share its order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from transformers import TrainerControl, TrainerState, TrainingArguments

from adapt_core.errors import InputError, InterruptedRunError
from adapt_core.hf.data.resampling import class_balanced
from adapt_core.hf.frozen.rows import NumberedBatches
from adapt_core.hf.loop.samplers import RowOrderCallback, ShareSampler

Run = Callable[..., Any]
ROWS = [["many"]] * 36 + [["few"]] * 4


@pytest.fixture
def skewed(tmp_path: Path, inbox: Path) -> Path:
    """36 texts of one class and 4 of another, and texts of both to validate on."""
    lines = [json.loads(line) for line in (inbox / "train.jsonl").open(encoding="utf-8")]
    first, second = sorted({line["label"] for line in lines})[:2]
    many = [line for line in lines if line["label"] == first]
    few = [line for line in lines if line["label"] == second]
    folder = tmp_path / "skewed"
    folder.mkdir()
    for name, rows in (("train", [*many[:36], *few[:4]]), ("validation", [*many[-8:], *few[-8:]])):
        text = "".join(json.dumps({"text": row["text"], "label": row["label"]}) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The labels of all batches of the runs that follow."""
    seen: list[list[int]] = []
    collate = NumberedBatches.__call__

    def see(self: NumberedBatches, examples: list[Any]) -> Any:
        batch = collate(self, examples)
        seen.append(batch["labels"].tolist())
        return batch

    monkeypatch.setattr(NumberedBatches, "__call__", see)
    return seen


@pytest.mark.parametrize(
    ("wanted", "few"), [(None, 4), ("balanced", 20), ("square_root", 10)], ids=["none", "balanced", "square_root"]
)
@pytest.mark.parametrize("grouped", [False, True], ids=["at random", "grouped"])
def test_an_epoch_shows_classes_as_it_says(
    run: Run, skewed: Path, batches: list[list[int]], wanted: str | None, few: int, grouped: bool
) -> None:
    run(
        CUSTOM_DATASET_PATH=str(skewed),
        CLASS_SAMPLING=wanted,
        GROUP_BY_LENGTH=grouped,
        BATCH_SIZE=8,
        EPOCHS=2,
        do_eval=False,
    )
    for epoch in (batches[:5], batches[5:10]):
        counts = Counter(label for batch in epoch for label in batch)
        assert sum(counts.values()) == 40
        assert abs(counts[1] - few) <= 1


@pytest.mark.parametrize("grouped", [False, True], ids=["at random", "grouped"])
def test_a_run_that_is_cut_off_goes_on_with_the_same_rows(
    run: Run, skewed: Path, tmp_path: Path, grouped: bool
) -> None:
    keys = {"CUSTOM_DATASET_PATH": str(skewed), "CLASS_SAMPLING": "balanced", "GROUP_BY_LENGTH": grouped}
    keys |= {"BATCH_SIZE": 8, "EPOCHS": 2, "INTERVAL": "steps", "INTERVAL_STEPS": 1, "do_eval": False}
    run(**keys, OUTPUT_DIR=str(tmp_path / "whole"))
    for steps in (3, 4):
        with pytest.raises(InterruptedRunError):
            run(**keys, STOP_AFTER=f"{steps} steps", resume=steps == 4)
    run(**keys, resume=True)
    whole, resumed = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "run"))
    assert all(whole[name].equal(resumed[name]) for name in whole)


def test_two_processes_share_an_epoch_and_resume_inside_it(tmp_path: Path) -> None:
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)

    def loaded(rank: int, epoch: int, skipped: int = 0) -> list[list[int]]:
        sampler = ShareSampler(class_balanced(ROWS, 0.0), 42)
        loader = prepare_data_loader(
            DataLoader(range(40), batch_size=4, sampler=sampler, collate_fn=list),  # type: ignore[arg-type]
            num_processes=2,
            process_index=rank,
            put_on_device=False,
            use_seedable_sampler=True,
            data_seed=42,
        )
        state = TrainerState(epoch=epoch + skipped / 5)
        RowOrderCallback().on_epoch_begin(arguments, state, TrainerControl(), train_dataloader=loader)
        loader = skip_first_batches(loader, skipped) if skipped else loader
        loader.set_epoch(epoch)
        return list(loader)

    sampler = ShareSampler(class_balanced(ROWS, 0.0), 42)
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        whole = [loaded(rank, epoch) for rank in (0, 1)]
        assert [row for step in zip(*whole, strict=True) for batch in step for row in batch] == list(sampler)
        assert loaded(1, epoch, skipped=3) == whole[1][3:]


def test_what_has_no_classes_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="CLASS_SAMPLING is of labels"):
        run(CLASS_SAMPLING="balanced", problem_type="regression")
    with pytest.raises(InputError, match="CLASS_SAMPLING is for labels"):
        run(CLASS_SAMPLING="balanced", subtask="ner")
