"""Models whose weights an ONNX file cannot hold: they lie beside it, and move with it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from torch.onnx._internal.exporter import _onnx_program

import adapt_core

from .contract import Make


def test_weights_beyond_the_limit_lie_beside_the_graph(
    make: Make, tiny_encoder: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's limit of 1.5 GiB is lowered to 100 kB, and the export asked and used as any other."""
    monkeypatch.setattr(_onnx_program, "_LARGE_MODEL_THRESHOLD", 100_000)
    base = {"TASK": "text_classification", "MODEL_PATH": str(tiny_encoder), "CUSTOM_DATASET_PATH": str(inbox)}
    run = make(**base, method="LoRA", r=4)
    adapt_core.export(run, "onnx", tmp_path / "out", settings=["onnx_int8=true"])
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "out").glob("*.onnx*")}
    assert set(sizes) == {"model.onnx", "model.onnx.data", "model_int8.onnx", "model_int8.onnx.data"}
    assert sizes["model.onnx.data"] > sizes["model.onnx"]
    [place] = {
        entry.value
        for tensor in onnx.load(tmp_path / "out" / "model.onnx", load_external_data=False).graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    assert place == "model.onnx.data"  # relative: the folder was renamed after it was written
    assert not list(tmp_path.glob("**/*.tmp"))
