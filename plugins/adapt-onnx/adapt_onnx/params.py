"""The keys of the exporter."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class OnnxParams:
    """How a model is exported to ONNX."""

    onnx_int8: bool = param(
        False, "Write the model in 8 bits too (dynamic quantization); what that loses is measured and told."
    )
