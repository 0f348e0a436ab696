"""What `load_data` of text_generation makes of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapt_core.api import check
from adapt_core.evaluation import Statistic

Rows = list[dict[str, Any]]


class Read:
    """What `load_data` makes of rows, as texts: of each document all of it, and what is learned of it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        self.stats: dict[str, Statistic] = {}
        self.lengths: list[int] = []
        self.template: str | None = None

    def plan(self, rows: Rows, **keys: Any) -> Any:
        data = self.folder / "data.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        given = {"TASK": "text_generation", "MODEL_PATH": str(self.model), "CUSTOM_DATASET_PATH": str(data)}
        return check({**given, "DO_EVAL": False, "SAVE_METHOD": "safetensors", **keys})

    def __call__(self, rows: Rows, **keys: Any) -> list[tuple[str, str]]:
        from adapt_nlp.text_generation.task import TextGeneration

        task = TextGeneration(self.plan(rows, **keys))
        if self.template:
            task.tokenizer.chat_template = self.template
        data = task.load_data()
        self.stats = data.stats
        self.lengths = [len(ids) for ids in data.train["input_ids"]]
        return [
            (task.tokenizer.decode(row["input_ids"]), task.tokenizer.decode([t for t in row["labels"] if t >= 0]))
            for row in data.train
        ]
