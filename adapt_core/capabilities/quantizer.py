"""What a quantizer may support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen(kw_only=True)
class StoredBytes:
    """The bytes of one parameter.

    Attributes:
        values: bytes of its values or codes, which launchers may share out.
        statistics: bytes of a quantized one's scales, tables and offsets, which every process holds.
    """

    values: int
    statistics: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.values + self.statistics


@runtime_checkable
class SupportsMemoryEstimate(Protocol):
    """A quantizer that knows beforehand what its layers will take. Optional; `adapt check` uses it."""

    def quantized_bytes(self, model: nn.Module, skip: Sequence[str]) -> Mapping[str, StoredBytes]:
        """Return what each parameter of a plain model that will be quantized takes, by its full name.

        Args:
            model: not quantized; its tensors may be on the device "meta".
            skip: names of modules that stay in full precision (the head, and what the checkpoint lacks).

        Raises:
            InputError: there is nothing to quantize.
        """
