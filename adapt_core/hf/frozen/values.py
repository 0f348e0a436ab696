"""The used part of an output of the frozen part: taken out of a batch, kept by row, and put back into another batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs
import torch

from adapt_core.hf.frozen.trace import Call, Place, Trace

Form = Literal["row", "first", "last", "tokens"]
"""What of a tensor (rows, positions, ...) is used: everything of a row, or its first, its last or all its tokens."""


@attrs.frozen
class Span:
    """The tokens of each row in a padded batch.

    Attributes:
        starts, lengths: int64 tensors (rows,).
        width: positions of the batch.
    """

    starts: torch.Tensor
    lengths: torch.Tensor
    width: int


@attrs.frozen
class Shape:
    """The shape of a tensor as a function of the batch: each dimension is a number, rows or positions times a number.

    Attributes:
        dimensions: (kind, factor) for each.
    """

    dimensions: tuple[tuple[Literal["fixed", "rows", "positions"], int], ...]

    def of(self, rows: int, positions: int) -> list[int]:
        """Return the shape in a batch."""
        each = {"fixed": 1, "rows": rows, "positions": positions}
        return [factor * each[kind] for kind, factor in self.dimensions]


def find_shape(first: Sequence[int], second: Sequence[int], batches: Sequence[tuple[int, int]]) -> Shape | None:
    """Return the shape that a tensor has in any batch, or None where it depends on something else.

    Args:
        first: its shape in one batch.
        second: in another.
        batches: (rows, positions) of both; both numbers differ, and in another ratio (see `told_apart`).
    """
    (rows, positions), (other_rows, other_positions) = batches
    found = []
    for size, other in zip(first, second, strict=True) if len(first) == len(second) else [(0, 1)]:
        if size == other:
            found.append(("fixed", size))
        elif size * other_rows == other * rows and size % rows == 0:
            found.append(("rows", size // rows))
        elif positions and size * other_positions == other * positions and size % positions == 0:
            found.append(("positions", size // positions))
        else:
            return None
    return Shape(tuple(found))  # type: ignore[arg-type]


def told_apart(batches: Sequence[tuple[int, int]]) -> bool:
    """Return whether the sizes of a tensor in two batches say which dimensions are rows and which positions.

    Args:
        batches: (rows, positions) of both; 0 positions where rows have no tokens.
    """
    (rows, positions), (other_rows, other_positions) = batches
    if rows == other_rows:
        return False
    return not positions or (positions != other_positions and positions * other_rows != other_positions * rows)


@attrs.frozen
class Kept:
    """A tensor of which something is kept.

    Attributes:
        place: of it.
        form: what is used of it.
        rest: the shape of what is kept of a row (or, of tokens, of a token).
        dtype: of it.
    """

    place: Place
    form: Form
    rest: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes_each(self) -> int:
        """The bytes of a row, or of a token."""
        return self.dtype.itemsize * int(torch.Size(self.rest).numel())

    def take(self, tensor: torch.Tensor, span: Span | None) -> torch.Tensor:
        """Return what is kept of the rows of a batch, one after the other: a tensor (rows or tokens, *rest)."""
        if self.form == "row":
            return tensor
        if self.form == "tokens":
            assert span is not None
            return torch.cat([row[a : a + n] for row, a, n in zip(tensor, span.starts, span.lengths, strict=True)])
        return tensor[
            torch.arange(len(tensor), device=tensor.device), self._positions(span, len(tensor), tensor.device)
        ]

    def put(self, values: torch.Tensor, shape: Sequence[int], span: Span | None) -> torch.Tensor:
        """Return a tensor of a batch with what was kept in its place, and zeros where nothing was.

        Args:
            values: what `take` returned, on the device of the model.
            shape: of the tensor.
            span: of the batch.
        """
        if self.form == "row":
            return values
        tensor = values.new_zeros(shape)
        if self.form == "tokens":
            assert span is not None
            pieces = torch.split(values, span.lengths.tolist())
            for row, piece, start in zip(tensor, pieces, span.starts, strict=True):
                row[start : start + len(piece)] = piece
            return tensor
        tensor[torch.arange(len(tensor), device=tensor.device), self._positions(span, len(tensor), tensor.device)] = (
            values
        )
        return tensor

    def _positions(self, span: Span | None, rows: int, device: torch.device) -> torch.Tensor:
        if span is None:
            return torch.zeros(rows, dtype=torch.long, device=device)
        return (span.starts if self.form == "first" else span.starts + span.lengths - 1).to(device)


def find_kept(traced: Trace, shapes: Sequence[Sequence[Shape | None]], span: Span | None) -> list[Kept] | Call:
    """Return what must be kept of a frozen part, or a call whose output cannot be kept by row.

    Args:
        traced: a forward pass, with something used.
        shapes: of the leaves of its calls; None for those that are no tensors.
        span: of the traced batch, where it has tokens.
    """
    kept = []
    for place, gradient in traced.gradients.items():
        call, leaf = place
        shape = shapes[call][leaf]
        if shape is None or shape.dimensions[:1] != (("rows", 1),):
            return traced.calls[call]
        by_token = shape.dimensions[1:2] == (("positions", 1),)
        behind = {kind for kind, _ in shape.dimensions[2 if by_token else 1 :]}
        if behind - {"fixed"} or (by_token and span is None):
            return traced.calls[call]
        form = _form(gradient, span if by_token else None, by_token=by_token)
        tensor: torch.Tensor = traced.calls[call].leaves[leaf]
        kept.append(Kept(place, form, tuple(tensor.shape[1 if form == "row" else 2 :]), tensor.dtype))
    return kept


def _form(gradient: torch.Tensor, span: Span | None, *, by_token: bool) -> Form:
    if gradient.dim() < 2 or (gradient.dim() == 2 and not by_token):
        return "row"
    used = gradient.flatten(2).ne(0).any(-1) if gradient.dim() > 2 else gradient.ne(0)
    if not used.any():  # connected, and of no weight today
        return "row" if span is None else "tokens"
    if span is None:
        return "first" if not used[:, 1:].any() else "row"
    places = [set(row.nonzero().flatten().tolist()) for row in used.cpu()]
    starts, lasts = span.starts.tolist(), (span.starts + span.lengths - 1).tolist()
    if all(place <= {start} for place, start in zip(places, starts, strict=True)):
        return "first"
    if all(place <= {last} for place, last in zip(places, lasts, strict=True)):
        return "last"
    return "tokens"


def calls_match(first: Sequence[Call], second: Sequence[Call]) -> bool:
    """Return whether two forward passes made the same calls, with outputs of the same structure and plain values."""
    if [call.module for call in first] != [call.module for call in second]:
        return False
    return all(
        one.structure == other.structure and all(map(_leaves_match, one.leaves, other.leaves))
        for one, other in zip(first, second, strict=True)
    )


def _leaves_match(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor):
        return isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)
    return type(one) is type(other) and (not isinstance(one, bool | int | float | str) or one == other)
