"""A forward pass in which the frozen part returns what was kept of it, without computing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
import torch
from torch import nn

from adapt_core.hf.frozen.trace import Call, Place
from adapt_core.hf.frozen.values import Kept, Shape, Span


@attrs.frozen(eq=False)
class Answer:
    """The output of one call in any batch.

    Attributes:
        call: as traced.
        shapes: of its leaves; None for those that are no tensors.
    """

    call: Call
    shapes: Sequence[Shape | None]

    def output(self, batch: Batch, number: int) -> Any:
        """Return the output: what was kept, zeros without memory for what nothing uses, and plain values.

        Args:
            batch: the batch.
            number: of the call.
        """
        leaves: list[Any] = []
        for place, (leaf, shape) in enumerate(zip(self.call.leaves, self.shapes, strict=True)):
            if shape is None:
                leaves.append(leaf if isinstance(leaf, bool | int | float | str) else None)
            elif (number, place) in batch.kept:
                leaves.append(batch.kept[number, place])
            else:
                size = shape.of(batch.rows, batch.positions)
                leaves.append(torch.zeros((), dtype=leaf.dtype, device=batch.device).expand(size))
        return self.call.output(leaves)


@attrs.frozen(eq=False)
class Batch:
    """What was kept of the rows of a batch, as the tensors that the frozen part would return.

    Attributes:
        kept: by place.
        rows, positions: of the batch; positions is 0 where its rows have no tokens.
        device: of the model.
    """

    kept: Mapping[Place, torch.Tensor]
    rows: int
    positions: int
    device: torch.device


@attrs.frozen(eq=False)
class Recorded:
    """What a model needs to run without its frozen part.

    Attributes:
        answers: of the calls of the frozen part, in their order.
        kept: what the rest of the model uses of them.
    """

    answers: Sequence[Answer]
    kept: Sequence[Kept]

    @property
    def modules(self) -> list[nn.Module]:
        """The frozen part."""
        return list(dict.fromkeys(answer.call.module for answer in self.answers))

    def used(self, calls: Sequence[Call]) -> list[torch.Tensor]:
        """Return the tensors of a batch of which something is kept, in the order of `kept`."""
        return [calls[call].leaves[leaf].detach() for call, leaf in (kept.place for kept in self.kept)]

    def take(self, calls: Sequence[Call], span: Span | None) -> list[torch.Tensor]:
        """Return what is kept of a batch, in the order of `kept`.

        Args:
            calls: of the frozen part on the batch.
            span: its tokens.
        """
        return [kept.take(tensor, span) for kept, tensor in zip(self.kept, self.used(calls), strict=True)]

    def batch(self, values: Sequence[torch.Tensor], rows: int, span: Span | None, device: torch.device) -> Batch:
        """Return a batch of what was kept.

        Args:
            values: what `take` returned of these rows.
            rows: their number.
            span: the tokens of the batch, which may be padded otherwise.
            device: of the model.
        """
        positions = span.width if span is not None else 0
        tensors = {}
        for kept, value in zip(self.kept, values, strict=True):
            call, leaf = kept.place
            shape = self.answers[call].shapes[leaf]
            assert shape is not None
            tensors[kept.place] = kept.put(value.to(device), shape.of(rows, positions), span)
        return Batch(tensors, rows, positions, device)

    @contextmanager
    def replayed(self, batch: Batch) -> Iterator[None]:
        """Within the context, the frozen part returns what was kept of a batch."""
        numbers: dict[nn.Module, list[int]] = {}
        for number, answer in enumerate(self.answers):
            numbers.setdefault(answer.call.module, []).append(number)
        before = {module: vars(module).get("forward") for module in numbers}
        for module, own in numbers.items():
            vars(module)["forward"] = partial(_answer, self.answers, batch, _turns(own))
        try:
            yield
        finally:
            for module, forward in before.items():
                if forward is None:
                    del vars(module)["forward"]
                else:
                    vars(module)["forward"] = forward


def _turns(numbers: Sequence[int]) -> Callable[[], int]:
    """Return a function that returns one number after the other, and then starts again: recomputation calls again."""
    done = 0

    def turn() -> int:
        nonlocal done
        done += 1
        return numbers[(done - 1) % len(numbers)]

    return turn


def _answer(answers: Sequence[Answer], batch: Batch, turn: Callable[[], int], *_: object, **__: object) -> Any:
    number = turn()
    return answers[number].output(batch, number)
