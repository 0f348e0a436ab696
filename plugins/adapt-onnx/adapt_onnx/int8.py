"""Dynamic quantization: weights in 8 bits, activations quantized as they come."""

from __future__ import annotations

import logging
from pathlib import Path

from adapt_onnx.graphs import weights_of

SUFFIX = "_int8"
_OPERATORS = ["MatMul", "Gather"]
"""Products of matrices, and tables of embeddings. Convolutions stay in float32: quantized as they come, those of
EfficientNet-Lite0 were 3.5 times as slow as torch, and 11 % of the images got another class."""


def write_int8(path: Path) -> Path:
    """Write a model in 8 bits beside it (`model_int8.onnx`), with a scale for each channel of the weights.

    Args:
        path: of the model in float32.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantized = path.with_name(f"{path.stem}{SUFFIX}{path.suffix}")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises on the root logger to prepare the model, which the tracer has done
    try:
        quantize_dynamic(
            path,
            quantized,
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=weights_of(path) != path,
        )
    finally:
        root.setLevel(level)
    return quantized
