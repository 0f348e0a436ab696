"""REPEAT_THRESHOLD: images with rare classes come again, by the factors of mmengine's ClassBalancedDataset."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapt_core.errors import InterruptedRunError
from adapt_core.hf.data.resampling import repeat_factors

from adapt_vision_mm.openmmlab.detectors.dataset import AnnotatedDataset
from adapt_vision_mm.openmmlab.sampler import EpochSampler

ROWS = [[0]] * 60 + [[0, 1]] * 30 + [[1, 2]] * 9 + [[3]]


class Rows:
    """What mmengine asks of a dataset."""

    def __len__(self) -> int:
        return len(ROWS)

    def get_cat_ids(self, row: int) -> list[int]:
        return ROWS[row]


@pytest.mark.parametrize("threshold", [0.05, 0.5, 1.0])
def test_factors_are_those_of_mmengine(threshold: float) -> None:
    from mmengine.dataset import ClassBalancedDataset

    theirs = ClassBalancedDataset._get_repeat_factors(SimpleNamespace(dataset=Rows()), Rows(), threshold)
    assert repeat_factors(ROWS, threshold).expected == pytest.approx(theirs)


def test_two_processes_share_an_epoch_and_begin_inside_it() -> None:
    shares = repeat_factors(ROWS, 0.5)
    whole = EpochSampler(100, 42, shares=shares)
    whole.start(3)
    order = list(whole)
    assert len(order) == len(shares) == len(whole) > 100
    assert len(set(order)) == len(order)
    parts = [EpochSampler(100, 42, rank, 2, shares) for rank in (0, 1)]
    for part in parts:
        part.start(3)
    shared = [index for pair in zip(*parts, strict=True) for index in pair]
    assert shared[: len(order)] == order
    parts[1].start(3, skipped=10)
    assert list(parts[1]) == shared[1::2][10:]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the training images that the runs that follow show."""
    seen: list[int] = []
    item = AnnotatedDataset.__getitem__

    def see(self: AnnotatedDataset, index: int) -> dict[str, Any]:
        if not self.test_mode:
            seen.append(index)
        return item(self, index)

    monkeypatch.setattr(AnnotatedDataset, "__getitem__", see)
    return seen


@pytest.fixture
def rare(squares: Path, tmp_path: Path) -> Path:
    """The squares, blue ones annotated in the first image alone."""
    folder = Path(shutil.copytree(squares, tmp_path / "rare"))
    data = json.loads((folder / "train.json").read_text())
    data["annotations"] = [one for one in data["annotations"] if one["category_id"] == 4 or one["image_id"] == 1]
    (folder / "train.json").write_text(json.dumps(data))
    return folder


def test_a_run_shows_the_image_of_a_rare_class_again_and_resumes(
    run: Callable[..., Any], rare: Path, tmp_path: Path, shown: list[int]
) -> None:
    keys = {"CUSTOM_DATASET_PATH": str(rare), "DO_EVAL": False, "INTERVAL": "steps", "INTERVAL_STEPS": 1}
    run(**keys, OUTPUT_DIR=str(tmp_path / "plain"))
    assert Counter(index % 16 for index in shown[-16:]) == Counter(range(16))
    shown.clear()
    run(**keys, REPEAT_THRESHOLD=1.0, OUTPUT_DIR=str(tmp_path / "whole"))
    whole = shown[-19:]
    # One image of 16 has the class: it comes sqrt(1 / (1 / 16)) = 4 times.
    assert Counter(index % 16 for index in whole) == Counter({**dict.fromkeys(range(16), 1), 0: 4})
    assert len(set(whole)) == len(whole)
    shown.clear()
    with pytest.raises(InterruptedRunError):
        run(**keys, REPEAT_THRESHOLD=1.0, STOP_AFTER="2 steps")
    run(**keys, REPEAT_THRESHOLD=1.0, resume=True)
    first = json.loads((tmp_path / "whole" / "result.json").read_text())["training_check"]
    assert json.loads((tmp_path / "run" / "result.json").read_text())["training_check"]["verdict"] == first["verdict"]
    import torch

    whole_model, resumed = (
        torch.load(tmp_path / name / "model" / "checkpoint.pth", weights_only=True)["state_dict"]
        for name in ("whole", "run")
    )
    assert all(torch.equal(whole_model[name], resumed[name]) for name in whole_model)
