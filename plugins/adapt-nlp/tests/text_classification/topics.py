"""Texts with several labels and with numbers, which a small model learns in seconds."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TOPICS = ("loans", "rooms", "tools")
WORDS = {"loans": "borrow a book", "rooms": "reserve the hall", "tools": "use the saw"}
Row = dict[str, Any]


def labelled(count: int, seed: int = 0) -> list[Row]:
    """Return rows {"text", "label"}: each topic in a third of the texts, none in some, and filler between them."""
    chosen = random.Random(seed)
    rows = []
    for _ in range(count):
        topics = [topic for topic in TOPICS if chosen.random() < 0.4]
        words = [WORDS[topic] for topic in topics] + chosen.sample(["today", "please", "again", "soon"], 2)
        chosen.shuffle(words)
        rows.append({"text": " ".join(words), "label": topics})
    return rows


def in_columns(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with a column of 0 and 1 for each topic."""
    return [{"text": row["text"], **{topic: int(topic in row["label"]) for topic in TOPICS}} for row in rows]


def measured(count: int, seed: int = 0) -> list[Row]:
    """Return rows {"text", "label"} whose number is half the count of topics, less 0.25."""
    return [{**row, "label": 0.5 * len(row["label"]) - 0.25} for row in labelled(count, seed)]


def write(folder: Path, **splits: Sequence[Row]) -> Path:
    """Write each split as jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        lines = (json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def uncertain(count: int, seed: int = 0) -> list[Row]:
    """Return rows whose words make a label more likely, never sure: loans up to 0.9, tools up to 0.15.

    So a threshold that suits one label gives the other to all rows, or to none.
    """
    chosen = random.Random(seed)
    likely = {"loans": (0.2, 0.9), "tools": (0.01, 0.15)}
    rows = []
    for _ in range(count):
        said = {topic: chosen.random() < 0.4 for topic in likely}
        words = [WORDS[topic] for topic in likely if said[topic]] + chosen.sample(["today", "please", "again"], 2)
        chosen.shuffle(words)
        labels = [topic for topic in likely if chosen.random() < likely[topic][said[topic]]]
        rows.append({"text": " ".join(words), "label": labels})
    return rows
