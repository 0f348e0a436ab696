"""The cross-entropy of a linear output layer and its gradients, a block of words at a time: for CPUs.

Matrix products with tens of thousands of columns are slow on a CPU, and softmax reads each logit from memory several
times. Here a block's exponentials are made while its logits are in the cache, relative to the largest logit of each
position in this block, and never touched again: what relates them to the sum over all blocks is a factor for each
position, which goes into the small side of the two products of the gradients.
"""

from __future__ import annotations

import attrs
import torch

WORDS = 2048
"""Words of a block."""


@attrs.frozen
class LinearGradients:
    """Where gradients of the sum of losses are added to; None where one is not wanted.

    Attributes:
        weight: float tensor (vocabulary, width).
        bias: float tensor (vocabulary,).
    """

    weight: torch.Tensor | None
    bias: torch.Tensor | None


class BlockedLoss:
    """Computes the loss of chunks of positions, in a buffer that they share.

    Args:
        weight: float tensor (vocabulary, width), without a graph.
        bias: float tensor (vocabulary,), or None.
        positions: the most in a chunk.
        smoothing: share of each target that goes to all words evenly.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, positions: int, smoothing: float = 0.0) -> None:
        self._weight, self._bias, self._smoothing = weight, bias, smoothing
        # The mean of all logits is the logit of a mean word.
        self._mean_word = weight.mean(0) if smoothing else None
        self._mean_bias = weight.new_zeros(()) if bias is None else bias.mean()
        self._buffer = weight.new_empty(positions * len(weight))
        self._borders = [(start, min(start + WORDS, len(weight))) for start in range(0, len(weight), WORDS)]

    def add(
        self, rows: torch.Tensor, targets: torch.Tensor, of_rows: torch.Tensor | None, sums: LinearGradients
    ) -> torch.Tensor:
        """Return the sum of the cross-entropies of a chunk in nats, and add to the gradients.

        Args:
            rows: float tensor (positions, width).
            targets: int64 tensor (positions,).
            of_rows: overwritten by the gradient of the rows, where it is not None.
            sums: of all chunks.
        """
        blocks, largest, totals = [], [], []
        for start, end in self._borders:
            block = self._buffer[len(rows) * start : len(rows) * end].view(len(rows), end - start)
            torch.mm(rows, self._weight[start:end].T, out=block)
            if self._bias is not None:
                block += self._bias[start:end]
            top = block.amax(1)
            totals.append(block.sub_(top[:, None]).exp_().sum(1))
            largest.append(top)
            blocks.append(block)
        tops = torch.stack(largest)
        normal = torch.logsumexp(tops + torch.stack(totals).log_(), 0)
        factors = (tops - normal).exp_()
        own, shared = 1 - self._smoothing, self._smoothing / len(self._weight)
        of_target = self._weight[targets]
        scores = (rows * of_target).sum(1)
        if self._bias is not None:
            scores += self._bias[targets]
        if self._mean_word is not None:
            of_target = torch.lerp(of_target, self._mean_word, self._smoothing)
            scores = torch.lerp(scores, rows @ self._mean_word + self._mean_bias, self._smoothing)
        if of_rows is not None:
            torch.neg(of_target, out=of_rows)
        for (start, end), block, factor in zip(self._borders, blocks, factors, strict=True):
            if of_rows is not None:
                of_rows.addcmul_(block @ self._weight[start:end], factor[:, None])
            if sums.weight is not None:
                sums.weight[start:end].addmm_(block.T, rows * factor[:, None])
            if sums.bias is not None:
                sums.bias[start:end].addmv_(block.T, factor)
        if sums.weight is not None:
            sums.weight.index_add_(0, targets, rows, alpha=-own)
            if shared:
                sums.weight.sub_(rows.sum(0), alpha=shared)
        if sums.bias is not None:
            sums.bias.index_add_(0, targets, rows.new_ones(len(rows)), alpha=-own)
            if shared:
                sums.bias.sub_(len(rows) * shared)
        return (normal - scores).sum()
