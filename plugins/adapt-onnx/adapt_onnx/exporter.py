"""The exporter: the model, what belongs to it, how it is asked, how it is used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.config.plan import Plan
from adapt_core.contracts import ExportSource, RuntimeCheck
from adapt_core.errors import InputError
from adapt_core.plugin.versions import installed_version
from adapt_core.run_folder.files import write_text

from adapt_onnx.params import OnnxParams
from adapt_onnx.plugin import TASKS
from adapt_onnx.usage import usage_of

if TYPE_CHECKING:
    from torch import nn

PROGRAM = Path(__file__).with_name("runtime.py")
CACHE = "cache.json"
_DETECTORS = ("object_detection", "instance_segmentation", "pose_detection")
_KINDS = {"text_generation": "decoder", "summarization": "seq2seq", "translation": "seq2seq"}
_FILES = {"forward": ("model",), "decoder": ("model",), "seq2seq": ("encoder", "decoder")}
FLOAT, DEQUANTIZED = 1e-5, 1e-3
"""Allowed differences as shares of the largest output: what float32 itself rounds, and of a dequantized base."""


def kind_of(plan: Plan) -> str:
    """Return how the model of a plan is asked: "forward", "decoder" or "seq2seq"."""
    return _KINDS.get(plan.task.name, "forward")


class Onnx:
    """ONNX files for onnxruntime."""

    def __init__(self, params: OnnxParams) -> None:
        self._params = params

    def check(self, plan: Plan) -> None:
        """Check that the task has models that torch traces.

        Raises:
            InputError: it is a detector's, or a third party's.
        """
        name = plan.task.name
        if name in _DETECTORS:
            raise InputError(
                f"EXPORT: onnx does not take models of {name}: the heads of OpenMMLab choose boxes in Python, with "
                "numbers of boxes that depend on the image, which torch cannot trace. Leave onnx out, and use mmdeploy "
                "on model/config.py and model/checkpoint.pth."
            )
        if name not in TASKS:
            raise InputError(f"EXPORT: onnx takes models of {', '.join(TASKS)}, and this is {name}. Leave onnx out.")

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the model in float32, in 8 bits too where `onnx_int8` says so, and what belongs to it.

        Raises:
            InputError: torch cannot trace the model.
        """
        from adapt_core.nn.precision import Widened

        from adapt_onnx.companions import write_companions

        model = source.model()
        widened = Widened(model)
        try:
            self._write(model, source, folder)
        finally:
            widened.narrow(model)
        write_companions(source, folder)
        if self._params.onnx_int8:
            from adapt_onnx.int8 import write_int8

            for name in _FILES[kind_of(source.plan)]:
                write_int8(folder / f"{name}.onnx")

    def _write(self, model: nn.Module, source: ExportSource, folder: Path) -> None:
        kind = kind_of(source.plan)
        if kind == "forward":
            from adapt_onnx.forward import write_forward

            inputs = source.inputs()
            if inputs is None:
                raise InputError(
                    "onnx: the task makes up no inputs that the model could be traced with. Leave onnx out."
                )
            write_forward(model, inputs, folder)
            return
        if kind == "decoder":
            from adapt_onnx.decoder import write_decoder as write
        else:
            from adapt_onnx.seq2seq import write_seq2seq as write
        write_text(folder / CACHE, json.dumps(write(model, folder)) + "\n")

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return the model in float32, and in 8 bits, whose loss is told and not limited."""
        from adapt_onnx.graphs import weights_of

        kind = kind_of(source.plan)
        runtime = f"onnxruntime {installed_version('onnxruntime')}"
        relative = FLOAT if source.plan.quantizer is None else DEQUANTIZED
        names = _FILES[kind]
        found = [
            RuntimeCheck(
                name=f"{names[-1]}.onnx",
                runtime=runtime,
                program=PROGRAM,
                arguments=(kind, ""),
                relative_tolerance=relative,
                file=weights_of(folder / f"{names[-1]}.onnx").name,
            )
        ]
        if self._params.onnx_int8:
            from adapt_onnx.int8 import SUFFIX

            quantized = f"{names[-1]}{SUFFIX}.onnx"
            found.append(
                RuntimeCheck(
                    name=quantized,
                    runtime=runtime,
                    program=PROGRAM,
                    arguments=(kind, SUFFIX),
                    tolerance=None,
                    file=weights_of(folder / quantized).name,
                )
            )
        return found

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return the lines that use the export with onnxruntime, numpy, and tokenizers or Pillow."""
        return usage_of(source, folder, int8=self._params.onnx_int8)
