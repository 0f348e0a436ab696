"""What anybody reaches on a data set without learning anything from it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """The rows of a split's csv or jsonl file."""
    (file,) = folder.glob(f"{split}.*")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines)) if file.suffix == ".csv" else [json.loads(line) for line in lines]


def majority_class(folder: Path) -> tuple[str, float]:
    """Accuracy of always naming the most frequent class of training."""
    most, _ = Counter(row["label"] for row in rows(folder, "train")).most_common(1)[0]
    validation = [row["label"] for row in rows(folder, "validation")]
    return "majority class", validation.count(most) / len(validation)


def majority_tag(column: str) -> Callable[[Path], tuple[str, float]]:
    """Accuracy of giving every word the most frequent tag of training."""

    def measure(folder: Path) -> tuple[str, float]:
        most, _ = Counter(tag for row in rows(folder, "train") for tag in row[column]).most_common(1)[0]
        tags = [tag for row in rows(folder, "validation") for tag in row[column]]
        return "majority tag", tags.count(most) / len(tags)

    return measure


def no_entity(folder: Path) -> tuple[str, float]:
    """Entity F1 of tagging every word O, by definition."""
    return "every word O", 0.0


def always_unanswerable(folder: Path) -> tuple[str, float]:
    """F1 over answerable questions of always giving no answer, by definition."""
    return "always unanswerable", 0.0
