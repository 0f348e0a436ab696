"""Trivial baselines: scores that need no training."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.packaged_models import smollm2


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """Return the rows of a split's csv or jsonl file."""
    (file,) = folder.glob(f"{split}.*")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines)) if file.suffix == ".csv" else [json.loads(line) for line in lines]


def majority_class(folder: Path) -> tuple[str, float]:
    """Return the accuracy of always predicting the most frequent training class."""
    most, _ = Counter(row["label"] for row in rows(folder, "train")).most_common(1)[0]
    validation = [row["label"] for row in rows(folder, "validation")]
    return "majority class", validation.count(most) / len(validation)


def majority_tag(column: str) -> Callable[[Path], tuple[str, float]]:
    """Return the accuracy of tagging every word with the most frequent training tag."""

    def measure(folder: Path) -> tuple[str, float]:
        most, _ = Counter(tag for row in rows(folder, "train") for tag in row[column]).most_common(1)[0]
        tags = [tag for row in rows(folder, "validation") for tag in row[column]]
        return "majority tag", tags.count(most) / len(tags)

    return measure


def no_entity(folder: Path) -> tuple[str, float]:
    """Return the entity F1 of tagging every word O, by definition."""
    return "every word O", 0.0


def always_unanswerable(folder: Path) -> tuple[str, float]:
    """Return the F1 over answerable questions of always giving no answer, by definition."""
    return "always unanswerable", 0.0


def most_frequent_token(column: str) -> Callable[[Path], tuple[str, float]]:
    """Return the accuracy of always predicting the most frequent training token, by SmolLM2's tokenizer."""

    def measure(folder: Path) -> tuple[str, float]:
        from transformers import AutoTokenizer

        file = smollm2()
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        counts = {
            split: Counter(token for row in rows(folder, split) for token in tokenizer(row[column])["input_ids"])
            for split in ("train", "validation")
        }
        most, _ = counts["train"].most_common(1)[0]
        return "most frequent token", counts["validation"][most] / counts["validation"].total()

    return measure


def copied_source(folder: Path) -> tuple[str, float]:
    """Return the sacrebleu of copying each English source as its translation."""
    from adapt_nlp.metrics.bleu import sacrebleu

    pairs = [row["translation"] for row in rows(folder, "validation")]
    found = sacrebleu([pair["en"] for pair in pairs], [pair["de"] for pair in pairs])
    return "copy of the source", found["sacrebleu"]


def copied_document(folder: Path) -> tuple[str, float]:
    """Return the rougeL of copying each document as its summary."""
    from adapt_nlp.metrics.rouge import rouge

    validation = rows(folder, "validation")
    found = rouge([row["document"] for row in validation], [row["summary"] for row in validation], use_stemmer=True)
    return "copy of the document", found["rougeL"]
