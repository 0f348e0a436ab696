"""Runs of a few steps on a few texts, of which every loss is compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapt_core import api

TEXTS = [{"text": " ".join(f"word {n} and {n + k}" for k in range(40))} for n in range(24)]
DATA = {"train": TEXTS, "validation": TEXTS[:4]}


def losses(keys: dict[str, Any]) -> list[float]:
    """Return the training losses of a run."""
    folder = Path(api.run(keys, data=DATA).output_dir)
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line["loss"] for line in lines if line["phase"] == "train"]


def foretold_activations(keys: dict[str, Any]) -> int:
    """Return the bytes of activations that `adapt check` foretells for a run."""
    memory = api.estimate(api.check(keys, data=DATA)).memory
    assert memory is not None
    assert memory.activations is not None
    return memory.activations
