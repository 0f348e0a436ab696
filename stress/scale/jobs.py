"""The costly runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from stress.scale import material

_EVERY: dict[str, Any] = {
    "LR": 1e-3,
    "SCHEDULER_TYPE": "constant",
    "WARMUP_RATIO": 0,
    "NUM_WORKERS": 0,
    "NO_OF_CHECKPOINTS": 2,
    "INTERVAL": "steps",
    "METRIC_FOR_BEST": "loss",
}
_TEXTS = {"TASK": "text_classification", "max_seq_length": 64}


@attrs.frozen(kw_only=True)
class Scale:
    """One costly run.

    Attributes:
        name: unique.
        what: what there is much of, as the page says it.
        data: (folder to be made, number of training rows).
        model: folder -> MODEL_PATH.
        keys: the config without data, model, steps and OUTPUT_DIR.
        rows: training rows.
        steps: optimizer steps.
        short: rows and steps of the short form.
        evaluations: how many evaluations and checkpoints there are in the run.
    """

    name: str
    what: str
    data: Callable[[Path, int], None]
    model: Callable[[Path], str]
    keys: Mapping[str, Any]
    rows: int
    steps: int
    short: tuple[int, int]
    evaluations: int = 20

    def config(self, data: Path, model: str, output: Path, steps: int) -> dict[str, Any]:
        """Return the whole config of a run of so many steps."""
        often = max(steps // self.evaluations, 1)
        return {
            **_EVERY,
            **self.keys,
            "CUSTOM_DATASET_PATH": str(data),
            "MODEL_PATH": model,
            "OUTPUT_DIR": str(output),
            "MAX_STEPS": steps,
            "INTERVAL_STEPS": often,
            "LOGGING_STEPS": max(min(10, often // 4), 1),
        }


JOBS = [
    Scale(
        name="steps",
        what="50,000 steps of text classification, 50 evaluations and checkpoints",
        data=partial(material.labelled_texts, classes=4),
        model=material.encoder,
        keys={**_TEXTS, "BATCH_SIZE": 2, "MAX_EVAL_SAMPLES": 32},
        rows=2000,
        steps=50_000,
        short=(200, 60),
        evaluations=50,
    ),
    Scale(
        name="rows",
        what="1,000,000 rows of text classification, of which 10,000 steps train on 320,000",
        data=partial(material.labelled_texts, classes=4),
        model=material.encoder,
        keys={**_TEXTS, "BATCH_SIZE": 32, "MAX_EVAL_SAMPLES": 500},
        rows=1_000_000,
        steps=10_000,
        short=(600, 40),
    ),
    Scale(
        name="documents",
        what="200,000 documents packed for text generation, 5,000 steps",
        data=material.documents,
        model=material.decoder,
        keys={
            "TASK": "text_generation",
            "max_seq_length": 256,
            "PACKING": True,
            "BATCH_SIZE": 4,
            "MAX_EVAL_SAMPLES": 100,
        },
        rows=200_000,
        steps=5000,
        short=(400, 24),
    ),
    Scale(
        name="images",
        what="100,000 images in class folders, 5,000 steps",
        data=material.image_folders,
        model=material.image_encoder,
        keys={"TASK": "image_classification", "BATCH_SIZE": 16, "MAX_EVAL_SAMPLES": 200},
        rows=100_000,
        steps=5000,
        short=(200, 24),
    ),
    Scale(
        name="classes",
        what="10,000 classes of text classification, three rows each, three epochs",
        data=partial(material.labelled_texts, classes=10_000),
        model=material.encoder,
        keys={**_TEXTS, "BATCH_SIZE": 16},
        rows=30_000,
        steps=5625,
        short=(600, 36),
    ),
]
