"""The contract of exporters, for ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from adapt_core.testing import ExporterContract

Make = Callable[..., Path]


class OnnxContract(ExporterContract):
    """The contract, and that model and companions are there."""

    name = "onnx"
    files: ClassVar[Sequence[str]] = ("model.onnx", "labels.json", "tokenizer.json")

    def test_what_a_reader_needs_is_there(self, written: Any) -> None:
        assert set(self.files) <= {path.name for path in written.folder.iterdir()}
        assert all(path.stat().st_size for path in written.folder.iterdir())
