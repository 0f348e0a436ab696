"""An adapter merged into its base, checked, and what of it survives the base's precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.contracts import Method, Quantizer
from adapt_core.verification.merge import OutputComparison

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.result_records import MergeOutcome


def merge_checked(
    model: nn.Module, method: Method, quantizer: Quantizer | None, check: OutputComparison, dtype: str
) -> tuple[nn.Module, MergeOutcome | None]:
    """Merge an adapter and compare the outputs before and after.

    A base in half precision is merged in float32, where both models are compared too, so that the difference is what
    rounding the merged weights takes away, and not the rounding of each layer's outputs.

    Args:
        model: the attached model.
        method: merges it.
        quantizer: what quantized the base, which is dequantized to float32; None for a base in float.
        check: compares.
        dtype: MERGE_DTYPE: "auto" or "float32".

    Returns:
        the plain model, its weights in their own type or in float32, and the outcome of the comparison.

    Raises:
        InputError: the adapter cannot be merged.
        DefectError: the merged model does not compute what the attached one does.
    """
    from adapt_core.nn.precision import Widened

    if quantizer is not None:
        check.before(model)
        plain = method.merge(model, quantizer)
        return plain, check.after(plain)
    widened = Widened(model)
    if widened.dtype is not None:
        check.widen_inputs()
    check.before(model, method.disable_adapter(model))
    plain = method.merge(model, None)
    if dtype == "float32" or widened.dtype is None:
        return plain, check.after(plain)
    widened.narrow(plain)
    rounded = Widened(plain)
    outcome = check.after(plain)
    rounded.narrow(plain)
    return plain, outcome
