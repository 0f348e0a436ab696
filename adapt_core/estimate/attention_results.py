"""The results of attention in a forward pass, as KEEP_ATTENTION keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from adapt_core.nn.recomputation import is_attention


class _Collected(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds the results of attention to `results`, by storage."""

    results: dict[int, torch.Tensor]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if is_attention(func):
            tensors = [each for each in tree_leaves(found) if isinstance(each, torch.Tensor)]
            self.results.update({int(each.untyped_storage()._cdata): each for each in tensors})
        return found


@contextmanager
def collected_attention(results: dict[int, torch.Tensor]) -> Iterator[None]:
    """Within the context, add the results of attention to a mapping of storages."""
    mode: Any = _Collected
    with mode() as collected:
        collected.results = results
        yield
