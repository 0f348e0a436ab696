"""What adapt-bias-only registers."""

from __future__ import annotations

import attrs

from adapt_core import hookimpl
from adapt_core.parameters import param
from adapt_core.specs import MethodSpec


@attrs.frozen
class BiasOnlyParams:
    """Parameters of bias_only."""

    bias_of: tuple[str, ...] = param(
        (), "Train only the biases of modules whose name holds one of these; empty for all."
    )


@hookimpl
def adapt_methods() -> list[MethodSpec]:
    return [
        MethodSpec(
            name="bias_only",
            aliases=("bitfit",),
            summary="biases and the head train (BitFit)",
            implementation="adapt_bias_only.method:BiasOnly",
            params=BiasOnlyParams,
            trains_base=True,
        )
    ]
