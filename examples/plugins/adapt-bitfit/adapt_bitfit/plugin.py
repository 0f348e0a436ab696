"""What adapt-bitfit registers. It imports nothing heavy."""

from __future__ import annotations

import attrs

from adapt_core.plugin import MethodSpec, hookimpl, param


@attrs.frozen
class BitFitParams:
    """Parameters of BitFit."""

    bias_of: tuple[str, ...] = param(
        (), "Train only the biases of modules whose name contains one of these; empty for all."
    )


@hookimpl
def adapt_methods() -> list[MethodSpec]:
    return [
        MethodSpec(
            name="BitFit",
            summary="biases and the head train (Ben Zaken et al., 2022)",
            implementation="adapt_bitfit.method:BitFit",
            params=BitFitParams,
            trains_base=True,
        )
    ]
