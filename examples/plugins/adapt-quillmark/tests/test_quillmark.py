"""The format passes the contracts of adapt, and reads what the annotators agreed on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from adapt_quillmark.format import Quillmark

from adapt_core.plugin import Place
from adapt_core.testing import FormatContract, PluginContract


def export(folder: Path, *documents: tuple[str, Sequence[str]]) -> Place:
    """Writes an export of (text, the annotators' choices)."""
    entries = [{"quillmark_export": 3, "project": "support"}]
    entries += [{"doc": {"body": body}, "verdicts": [{"choice": c} for c in choices]} for body, choices in documents]
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return Place(split="train", root=folder, files=(file,))


class TestDistribution(PluginContract):
    distribution = "adapt-quillmark"


class TestQuillmark(FormatContract):
    name = "quillmark"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return export(tmp_path, ("it is late", ["delivery"]), ("where is it?", ["other", "delivery", "delivery"]))


def test_the_label_is_that_of_most_annotators(tmp_path: Path) -> None:
    rows = list(Quillmark().read(export(tmp_path, ("where?", ["other", "delivery", "delivery"]))))
    assert [(dict(row.values), row.line) for row in rows] == [({"text": "where?", "label": "delivery"}, 2)]


def test_a_document_without_agreement_is_a_fault_at_its_line(tmp_path: Path) -> None:
    place = export(tmp_path, ("late", ["delivery"]), ("hm", ["delivery", "other"]))
    [_, row] = Quillmark().read(place)
    assert (row.line, row.fault) == (3, "no label has most verdicts")
