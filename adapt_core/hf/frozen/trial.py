"""A frozen part tried on a few rows: what is kept of it, and whether a model computes the same from that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import torch
from torch import nn

from adapt_core.hf.frozen.replay import Answer, Recorded
from adapt_core.hf.frozen.rows import RowSource, span_of
from adapt_core.hf.frozen.trace import Call, find_frozen, matrix_share, trace, watched
from adapt_core.hf.frozen.values import Span, calls_match, find_kept, find_shape, told_apart
from adapt_core.nn.modes import evaluation_mode, training_mode
from adapt_core.nn.random_state import untouched_random_state
from adapt_core.nn.structure import has_parameters

LEAST_SHARE = 0.25
"""Of the model's matrices: less is not worth its place on disk."""

TRIED = 5
"""Rows of the trial."""

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
"""Of what is kept, relative to its largest value. Of scores ten times that: they are sums that nearly cancel out."""


@attrs.frozen(eq=False)
class Runner:
    """Calls a model on batches as the loop does.

    Attributes:
        model: the model.
        ready: a batch -> the model's inputs, on its device and in its type, without labels.
        autocast: a context of mixed precision.
        rounded: whether that is other than float32.
    """

    model: nn.Module
    ready: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    autocast: Callable[[], Any]
    rounded: bool = False

    def scores(self, inputs: Mapping[str, Any]) -> list[torch.Tensor]:
        """Return the tensors from which loss and metrics are made: logits, or the first output."""
        with self.autocast():
            outputs = self.model(**inputs)
        if isinstance(outputs, torch.Tensor):
            return [outputs]
        if isinstance(outputs, Mapping):
            return [value for name, value in outputs.items() if name.endswith("logits")]
        return [outputs[0]]

    def calls(self, modules: Sequence[nn.Module], inputs: Mapping[str, Any]) -> tuple[list[Call], list[torch.Tensor]]:
        """Return the calls of the frozen part, and the scores."""
        with watched(modules) as calls, torch.no_grad():
            return calls, self.scores(inputs)


def try_frozen(runner: Runner, source: RowSource) -> Recorded | str | None:
    """Return what is kept of a frozen part, why it cannot be kept, or None where an adapter is switched off.

    In mixed precision, and in half or quantized weights, rounding would hide that a row depends on its padding.
    """
    if runner.rounded or any(parameter.dtype not in _TOLERANCE for parameter in runner.model.parameters()):
        return "less than full precision hides whether what is kept of a row depends on the other rows of its batch"
    numbers = _tried_rows(source)
    if len(numbers) < 2:
        return "there is only one row"
    cuts = _cuts(source, numbers)
    with untouched_random_state(), evaluation_mode(runner.model), _without_zeros(runner.model):
        batches = list(source.batches([numbers, numbers[1:]], cuts))
        mixed, alike = (runner.ready(batch) for batch in batches)
        recorded = _record(runner, mixed, alike)
        if not isinstance(recorded, Recorded):
            return recorded
        alone = [runner.ready(batch) for batch in source.batches([[number] for number in numbers], cuts)]
        bare = [runner.ready({**batch, **source.stand_ins(_rows(batch))}) for batch in batches]
        for pair, rows in (((mixed, bare[0]), alone), ((alike, bare[1]), alone[1:])):
            if not _is_equal(runner, recorded, pair, rows):
                return "what it makes of a row depends on the other rows of the batch, or more of it is used"
        if not _is_still(runner, recorded, mixed):
            return "dropout or batch statistics in it are at work in training"
    return recorded


def _tried_rows(source: RowSource) -> list[int]:
    """Return the longest row, and then short ones."""
    if source.lengths is None:
        return list(range(min(TRIED, len(source))))
    order = sorted(range(len(source)), key=source.lengths.__getitem__)
    longest = order.pop()
    return [longest, *order[: TRIED - 1]]


def _cuts(source: RowSource, numbers: Sequence[int]) -> dict[int, int]:
    """Return which tried rows are cut to how many tokens, so that the batches of all and of all but the first differ.

    Rows of one length would not show what padding does, nor which dimensions of a tensor are positions.
    """
    if source.lengths is None:
        return {}
    longest, *others = (int(source.lengths[number]) for number in numbers)
    for width in range(max(others), 0, -1):
        if told_apart([(len(numbers), longest), (len(others), width)]):
            return {number: width for number in numbers[1:] if source.lengths[number] > width}
    return {}


def _record(runner: Runner, first: Mapping[str, Any], second: Mapping[str, Any]) -> Recorded | str | None:
    modules = find_frozen(runner.model, lambda: runner.scores(first))
    if modules is None:
        return None
    parameters = [parameter for module in modules for parameter in module.parameters()]
    if matrix_share(parameters, runner.model) < LEAST_SHARE:
        return "little of the model comes before the first module that trains"
    while any(has_parameters(module) for module in modules):
        found = _record_calls(runner, modules, (first, second))
        if not isinstance(found, Call):
            return found
        # One output for all rows (of rotary embeddings, of learned positions): the module goes on being called.
        modules.remove(found.module)
    return "what is used of it is not by row"


def _record_calls(
    runner: Runner, modules: Sequence[nn.Module], batches: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> Recorded | Call | str:
    """Return what is kept of the calls of modules, why nothing can be, or the call for which that is so."""
    traced = trace(modules, lambda: runner.scores(batches[0]))
    other, _ = runner.calls(modules, batches[1])
    if not traced.gradients:
        return "nothing that trains uses it"
    if not calls_match(traced.calls, other):
        return "its calls change from batch to batch"
    spans = [span_of(batch) for batch in batches]
    sizes = [(_rows(batch), span.width if span else 0) for batch, span in zip(batches, spans, strict=True)]
    if not told_apart(sizes):
        return "its rows are too short to try it on, or padded to one length"
    answers = []
    for one, two in zip(traced.calls, other, strict=True):
        shapes = [
            find_shape(leaf.shape, beside.shape, sizes) if isinstance(leaf, torch.Tensor) else None
            for leaf, beside in zip(one.leaves, two.leaves, strict=True)
        ]
        if any(
            shape is None and isinstance(leaf, torch.Tensor) for leaf, shape in zip(one.leaves, shapes, strict=True)
        ):
            return "the shape of its outputs depends on more than rows and tokens"
        answers.append(Answer(one.empty(), shapes))
    kept = find_kept(traced, [answer.shapes for answer in answers], spans[0])
    return kept if isinstance(kept, Call) else Recorded(answers, kept)


def _rows(inputs: Mapping[str, Any]) -> int:
    return next(len(value) for value in inputs.values() if isinstance(value, torch.Tensor) and value.dim())


def _is_equal(
    runner: Runner,
    recorded: Recorded,
    batches: tuple[Mapping[str, Any], Mapping[str, Any]],
    alone: Sequence[Mapping[str, Any]],
) -> bool:
    """Return whether a batch has the values and scores that follow from its rows, each computed by itself.

    Args:
        runner: calls the model.
        recorded: what is kept.
        batches: the inputs of a batch, and those that training from what was kept would have.
        alone: the inputs of each row.
    """
    mixed, bare = batches
    span = span_of(mixed)
    together, expected = runner.calls(recorded.modules, mixed)
    pieces = []
    for inputs in alone:
        calls, _ = runner.calls(recorded.modules, inputs)
        pieces.append(recorded.take(calls, span_of(inputs)))
    values = [torch.cat(parts) for parts in zip(*pieces, strict=True)]
    if not all(_close(one, other) for one, other in zip(recorded.take(together, span), values, strict=True)):
        return False
    batch = recorded.batch(values, _rows(mixed), span, expected[0].device)
    with recorded.replayed(batch):
        _, found = runner.calls([], bare)
    pairs = zip(_of_tokens(expected, span), _of_tokens(found, span), strict=True)
    return all(_close(one, other, slack=10.0) for one, other in pairs)


def _of_tokens(scores: Sequence[torch.Tensor], span: Span | None) -> list[torch.Tensor]:
    """Return scores without those of padding."""
    if span is None:
        return list(scores)
    places = torch.arange(span.width, device=span.starts.device)
    present = (places >= span.starts[:, None]) & (places < (span.starts + span.lengths)[:, None])
    return [score[present] if score.shape[:2] == present.shape else score for score in scores]


def _is_still(runner: Runner, recorded: Recorded, inputs: Mapping[str, Any]) -> bool:
    """Return whether the frozen part makes the same of a batch in training as in evaluation, and stays as it is."""
    expected, _ = runner.calls(recorded.modules, inputs)
    before = {buffer: buffer.clone() for buffer in runner.model.buffers()}
    frozen = {buffer for module in recorded.modules for buffer in module.buffers()}
    try:
        with training_mode(runner.model):
            found, _ = runner.calls(recorded.modules, inputs)
        moved = any(not torch.equal(buffer, before[buffer]) for buffer in frozen)
    finally:
        for buffer, value in before.items():  # batch norms that train took statistics of the trial
            buffer.copy_(value)
    pairs = zip(recorded.used(expected), recorded.used(found), strict=True)
    return len(expected) == len(found) and not moved and all(_close(one, other) for one, other in pairs)


@contextmanager
def _without_zeros(model: nn.Module) -> Iterator[None]:
    """Give trainable parameters that are zero random values for a block: an adapter starts so, and uses nothing yet."""
    zeros = [each for each in model.parameters() if each.requires_grad and not each.is_meta and not each.any()]
    with torch.no_grad():
        for parameter in zeros:
            parameter.normal_(std=0.02)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter in zeros:
                parameter.zero_()


def _close(one: torch.Tensor, other: torch.Tensor, slack: float = 1.0) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype or not one.numel():
        return one.shape == other.shape and one.dtype == other.dtype
    tolerance = slack * _TOLERANCE.get(one.dtype, 0.0)
    return bool((one.cpu().double() - other.cpu().double()).abs().max() <= tolerance * float(one.abs().max()))
