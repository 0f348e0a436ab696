"""Fixtures of the formats' tests: rows as a format reads them, and the training losses of a small run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.contracts.format import Place, Row

Keys = dict[str, Any]
Put = Callable[[str, str | bytes], Path]
Losses = Callable[..., list[float]]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes a file into the test's folder."""

    def file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return file


@pytest.fixture
def losses(tmp_path: Path) -> Losses:
    """Trains on a folder and returns the loss of each step."""

    def train(folder: Path, keys: Mapping[str, Any]) -> list[float]:
        common = {
            "CUSTOM_DATASET_PATH": str(folder),
            "OUTPUT_DIR": str(tmp_path / f"run_{folder.name}"),
            "EPOCHS": 1,
            "LR": 1e-3,
            "BATCH_SIZE": 4,
            "NUM_WORKERS": 0,
            "LOGGING_STEPS": 1,
        }
        result = adapt_core.run({**common, **keys})
        lines = (Path(result.output_dir) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        found = [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]
        assert len(found) > 3
        return found

    return train


def place_of(*files: Path, split: str = "train") -> Place:
    return Place(split=split, root=files[0].parent, files=files)


def read(reader: Any, *files: Path, split: str = "train") -> list[Row]:
    return list(reader.read(place_of(*files, split=split)))
