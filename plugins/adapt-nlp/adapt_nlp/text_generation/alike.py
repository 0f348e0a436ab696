"""Texts written for several prompts at a time, the same that `generate` writes for each alone.

In a batch a model's scores differ from those of a row alone: sums are taken in another order, and kernels are chosen by
size. Greedy decoding takes another token where the two best scores lie closer than that. So a text of a batch counts
only where the best token led by more at each of its steps; the others are written again, alone. Where a model's scores
in a padded batch differ by more than rounding, all are written alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import nn
from transformers import LogitsProcessor

from adapt_core.distributed.sharding import compute_device

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.predict import generate_continuations, positions_of_model

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_READ_THE_PROMPT = ("repetition_penalty", "no_repeat_ngram_size", "min_length", "min_new_tokens", "sequence_bias")
"""Settings of generation that read the padding of a prompt too, or count it; with their values that do nothing:"""
_NOTHING = (None, 0, 1.0)
_ROUNDINGS = 4
"""How many times the rounding of a score, and the difference that a probe finds, the best token must lead by."""
_FINE_ROUNDINGS = 256
"""The same in float32, where sums over many layers differ by many roundings and a lead is nearly always larger."""
_FINE = 1e-6
_PROBED = 8
"""Times those roundings, up to which a difference of all scores of the vocabulary is one of rounding."""


@attrs.frozen(kw_only=True)
class Writer:
    """Writes texts with one model.

    Attributes:
        model: in evaluation mode.
        tokenizer: of the model.
        params: for the decoding.
        most: rows of a batch.
        seed: of the first row, where it samples.
    """

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    params: TextGenerationParams
    most: int
    seed: int

    def batches(self, rows: Sequence[list[int]]) -> list[list[int]]:
        """Return the numbers of rows that are written together, those of like length, the longest first.

        Rows of a batch may get the same number of tokens, so that none ends for the length of another.
        """
        if not can_write_together(self.model, self.params):
            return [[number] for number in range(len(rows))]
        order = sorted(range(len(rows)), key=lambda number: -len(rows[number]))
        found = []
        for _, alike in groupby(order, key=lambda number: self._room(rows[number])):
            numbers = list(alike)
            found += [numbers[start : start + self.most] for start in range(0, len(numbers), self.most)]
        return found

    def _room(self, row: list[int]) -> int:
        positions, most = positions_of_model(self.model), self.params.max_new_tokens
        return most if positions is None else min(most, positions - len(row))

    def alone(self, row: list[int], number: int) -> str:
        """Return the text of one row, sampled from a seed of its own."""
        if self.params.temperature:
            torch.manual_seed(self.seed + number)
        [text] = generate_continuations(self.model, self.tokenizer, [row], self.params)
        return text

    def together(self, rows: Sequence[list[int]], least: float) -> list[str | None]:
        """Return the text of each row of a batch; None where it may be another than that of the row alone.

        Args:
            rows: of a batch.
            least: by how much the best token must lead.
        """
        leads = _Leads(_ends(self.model), len(rows), _rounding(self.model), least)
        texts = generate_continuations(self.model, self.tokenizer, rows, self.params, watch=leads)
        return [text if certain else None for text, certain in zip(texts, leads.certain, strict=True)]

    def difference(self, rows: Sequence[list[int]]) -> float:
        """Return by how much the scores of the shortest row differ in a padded batch with the longest, from alone.

        It is infinite where that is more than rounding: the model reads its padding.
        """
        shortest, longest = min(rows, key=len), max(rows, key=len)
        scores = []
        for batch in ([shortest], [shortest, longest]):
            first = _First()
            generate_continuations(self.model, self.tokenizer, batch, self.params, max_new_tokens=1, watch=first)
            scores.append(first.scores)
        alone, padded = scores
        finite = alone.isfinite() & padded.isfinite()
        if not finite.any():
            return math.inf
        found = float((alone - padded)[finite].abs().max())
        rounding = _rounding(self.model)
        most = _roundings(rounding) * _PROBED * rounding * max(float(alone[finite].abs().max()), 1.0)
        return found if found <= most else math.inf


class _First(LogitsProcessor):
    """Keeps the first scores of the first row."""

    scores: torch.Tensor

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.scores = scores[0].float()
        return scores


class _Leads(LogitsProcessor):
    """Watches by how much the best token of each row leads, until the row ends."""

    def __init__(self, ends: list[int], rows: int, rounding: float, least: float) -> None:
        self._ends, self._rounding, self._least = ends, rounding, least
        self._certain: torch.Tensor | None = None
        self._running: torch.Tensor | None = None
        self._rows = rows

    @property
    def certain(self) -> list[bool]:
        """Of each row whether it led enough at all steps."""
        return [False] * self._rows if self._certain is None else self._certain.tolist()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        best = scores.float().topk(2, dim=-1).values
        needed = best[:, 0].abs().clamp(min=1.0) * self._rounding * _roundings(self._rounding)
        needed = needed.clamp(min=_ROUNDINGS * self._least)
        enough = best[:, 0] - best[:, 1] > needed
        if self._certain is None or self._running is None:
            self._certain, self._running = enough, torch.ones_like(enough)
        else:
            if self._ends:
                ended = torch.isin(input_ids[:, -1], torch.tensor(self._ends, device=input_ids.device))
                self._running = self._running & ~ended
            self._certain = self._certain & (enough | ~self._running)
        return scores


def _roundings(rounding: float) -> int:
    return _FINE_ROUNDINGS if rounding < _FINE else _ROUNDINGS


def _generation(model: nn.Module) -> Any:
    module: Any = model
    return module.generation_config


def _ends(model: nn.Module) -> list[int]:
    known = _generation(model).eos_token_id
    return [] if known is None else [known] if isinstance(known, int) else list(known)


def can_write_together(model: nn.Module, params: TextGenerationParams) -> bool:
    """Return whether nothing but the scores of a row decides on its next token: greedy decoding, no penalties."""
    if params.temperature:
        return False
    settings = _generation(model)
    one_beam = (getattr(settings, "num_beams", None) or 1) == 1
    return one_beam and all(getattr(settings, name, None) in _NOTHING for name in _READ_THE_PROMPT)


def _rounding(model: nn.Module) -> float:
    """Return the relative rounding of the coarsest type that a model computes in."""
    dtypes = {parameter.dtype for parameter in model.parameters()}
    kinds = [torch.finfo(dtype).eps for dtype in dtypes if dtype.is_floating_point]
    device = compute_device(model).type
    if any(not dtype.is_floating_point for dtype in dtypes) or torch.is_autocast_enabled(device):
        kinds.append(torch.finfo(torch.bfloat16).eps)
    if device == "cuda" and torch.get_float32_matmul_precision() != "highest":
        kinds.append(2.0**-10)  # TF32
    return max(kinds)


def writes_together(model: nn.Module, params: TextGenerationParams) -> bool:
    """Return whether most texts of a batch will count: in half precision the best tokens rarely lead by enough."""
    return can_write_together(model, params) and _rounding(model) < _FINE
