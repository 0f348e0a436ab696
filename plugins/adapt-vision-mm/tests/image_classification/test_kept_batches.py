"""Images of an evaluated split are decoded once where they fit, and again where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.hf.loop.kept_batches import KeptBatches

from ..conftest import Keys

EVALUATED, BATCH = 12, 8
BYTES = EVALUATED * (3 * 32 * 32 * 4 + 1)  # float32, and a label in one byte


def test_images_of_evaluations_are_decoded_once_where_they_fit(
    hf_keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_vision_mm.image_classification.dataset import ImageDataset

    decode, seen = ImageDataset.__getitem__, list[int]()

    def counted(self: ImageDataset, index: int) -> Any:
        seen.append(index)
        return decode(self, index)

    monkeypatch.setattr(ImageDataset, "__getitem__", counted)
    decoded, metrics = [], []
    for room in (BYTES, BYTES - 1):
        monkeypatch.setattr(KeptBatches.__init__, "__defaults__", (room,))
        keys = {**hf_keys, "EPOCHS": 2, "INTERVAL": "epoch", "BATCH_SIZE": BATCH, "OUTPUT_DIR": str(tmp_path / "run")}
        result = adapt_core.run({**keys, "OVERWRITE_OUTPUT_DIR": True})
        decoded.append(len(seen))
        metrics.append(result.metrics)
        seen.clear()
    kept, each = EVALUATED + BATCH, 3 * EVALUATED  # the first batch once more, to compare
    assert decoded[1] - decoded[0] == each - kept
    assert metrics[0] == metrics[1]
