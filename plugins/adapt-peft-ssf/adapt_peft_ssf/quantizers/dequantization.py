"""4-bit weights on a CPU: of any width, and left as they are.

bitsandbytes holds a scale for each block of 64 weights, counted through the whole matrix. Its kernel for CPUs with
AVX-512 (0.50.2) begins a block with each row: where rows are not whole blocks (a width of 96, or SigLIP's 4304),
weights get the scales of others, wherever they are used. The same bytes as rows of one block each are read rightly.

On a CPU with AVX512-BF16 it also packs a layer's weight anew at the first evaluation, and nothing trains or merges
rightly from then on: a check of the data that asks the base is such an evaluation.
"""

from __future__ import annotations

import ctypes
from typing import Any

_Pointer = ctypes.c_void_p
_Number = ctypes.c_longlong
_KERNELS = ("cdequantize_blockwise_cpu_nf4_", "cdequantize_blockwise_cpu_fp4_")


class _RowsOfBlocks:
    """bitsandbytes' library, whose kernels get rows that are whole blocks."""

    def __init__(self, library: object) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        kernel = getattr(self._library, name)
        if not name.startswith(_KERNELS):
            return kernel

        def dequantize(
            packed: _Pointer, scales: _Pointer, out: _Pointer, block: _Number, rows: _Number, width: _Number
        ) -> None:
            if width.value % block.value:
                numbers = rows.value * width.value
                width = ctypes.c_longlong(numbers if numbers % block.value else block.value)
                rows = ctypes.c_longlong(numbers // width.value)
            kernel(packed, scales, out, block, rows, width)

        return dequantize


def cure_dequantization() -> None:
    """Give bitsandbytes' kernels for CPUs rows that are whole blocks, and keep new layers from being packed anew."""
    from bitsandbytes.backends.cpu import ops
    from bitsandbytes.nn import modules

    layers: Any = modules
    layers.has_avx512bf16 = _never

    module: Any = ops
    library = getattr(module, "lib", None)
    if library is not None and not isinstance(library, _RowsOfBlocks):
        module.lib = _RowsOfBlocks(library)


def _never() -> bool:
    return False
