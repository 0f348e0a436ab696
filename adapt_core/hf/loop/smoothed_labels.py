"""LABEL_SMOOTHING of language models: in the cross-entropy that a model computes itself, whatever its family.

So a model shifts, counts and divides its labels as without it, and an encoder-decoder makes its decoder's inputs of
them. transformers' LabelSmoother has the same formula: of a share s, the loss of a token is (1 - s) times its
cross-entropy and s times the mean of those of all words (Szegedy et al., 2015, arXiv:1512.00567).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn
from torch.nn.functional import cross_entropy
from torch.overrides import TorchFunctionMode

from adapt_core.errors import InputError


@contextmanager
def smoothed_labels(share: float, model: nn.Module) -> Iterator[None]:
    """Within the context, the labels of torch's cross-entropy are smoothed.

    Args:
        share: of each target that goes to all words evenly; 0 changes nothing.
        model: that is called within.

    Raises:
        InputError: the model computed its loss by something else.
    """
    if not share:
        yield
        return
    with _Smoothing(share) as smoothing:
        yield
    if not smoothing.used:
        raise InputError(
            f"LABEL_SMOOTHING is of a loss by torch's cross_entropy, and {type(model).__name__} computes its own by "
            "something else. Leave it out."
        )


class _Smoothing(TorchFunctionMode):
    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share
        self.used = False

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Call a function of torch, cross_entropy with the share."""
        given = dict(kwargs or {})
        if func is cross_entropy:
            given["label_smoothing"] = self._share
            self.used = True
        return func(*args, **given)
