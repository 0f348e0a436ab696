"""The hooks of adapt-onnx. Imports nothing heavy: torch and onnx load when an export is made."""

from __future__ import annotations

from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.specs import hookimpl

adapt_hook_api = 5

TASKS = (
    "text_generation",
    "text_classification",
    "question_answering",
    "summarization",
    "translation",
    "image_classification",
)
"""Tasks on models of transformers and timm. Detectors are refused: see `adapt_onnx.exporter`."""


@hookimpl
def adapt_exporters() -> list[ExporterSpec]:
    return [
        ExporterSpec(
            name="onnx",
            summary="ONNX files for onnxruntime, any number of rows and positions; in 8 bits too (onnx_int8)",
            implementation="adapt_onnx.exporter:Onnx",
            params="adapt_onnx.params:OnnxParams",
        )
    ]
