"""The training check: tensors that should train moved, and frozen tensors did not.

A tensor that is meant to train passes when it moved, or when it had a finite, non-zero gradient at some step. A
frozen tensor passes when it is bit-identical at the end. The verdict falls after three effective optimizer steps
(learning rate above zero, step not skipped); shorter runs are "not decided".

Tensors are compared by a 128-bit fingerprint of their bytes (XXH3), so no second copy of the model is held, and
gradients are looked at only until each tensor has passed: from the second step on, almost nothing is left to do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import torch
import xxhash
from torch import nn

from adapt_core.distributed.sharding import all_reduce_norms, is_sharded, local_shard, plain_name, union_over_ranks
from adapt_core.errors import DefectError, InputError, first_of
from adapt_core.result_records import TrainingVerdict

STEPS_TO_DECIDE = 3

log = logging.getLogger(__name__)


def fingerprint(tensor: torch.Tensor) -> bytes:
    """Return a 128-bit fingerprint of a tensor's bytes, of any dtype and device; of the local shard if sharded."""
    data = local_shard(tensor.detach()).contiguous().cpu()
    return xxhash.xxh3_128_digest(data.reshape(-1).view(torch.uint8).numpy().data)


class TrainingCheck:
    """Watches one model through one training run.

    Args:
        model: the attached model.
        groups: what the method declares to train, by group.
        method: the method's name, for messages.
    """

    def __init__(self, model: nn.Module, groups: Mapping[str, Sequence[str]], method: str) -> None:
        self._model = model
        self._parameters = dict(model.named_parameters())
        self._groups = {name: tuple(members) for name, members in groups.items() if members}
        self._method = method
        missing = [n for members in self._groups.values() for n in members if n not in self._parameters]
        if missing:
            raise DefectError(f"method {method} declares parameters that the model does not have: {first_of(missing)}.")
        frozen_members = [
            n for members in self._groups.values() for n in members if not self._parameters[n].requires_grad
        ]
        if frozen_members:
            raise DefectError(f"method {method} declares that frozen parameters train: {first_of(frozen_members)}.")
        self._trained = [name for name, p in self._parameters.items() if p.requires_grad]
        self._frozen = [name for name, p in self._parameters.items() if not p.requires_grad]
        self._sharded = False
        self._start: dict[str, bytes] = {}
        self._undecided: set[str] = set(self._trained)
        self._not_finite: set[str] = set()
        self._steps = 0
        self._loss_was_zero = True
        self._decided = False

    def begin(self) -> None:
        """Take the fingerprints. Call it right before the first step, after a checkpoint was loaded."""
        # Sharding puts new parameters in the place of those that the model was loaded with.
        self._parameters = {plain_name(name): p for name, p in self._model.named_parameters()}
        self._sharded = any(is_sharded(p) for p in self._parameters.values())
        self._start = {name: fingerprint(p) for name, p in self._parameters.items()}

    def see_gradients(self) -> None:
        """Look at the gradients of the tensors that have not passed yet. Call it before an optimizer step."""
        # Sorted: where tensors are sharded, every process must name them in one order.
        names = sorted(n for n in self._undecided if self._parameters[n].grad is not None)
        if not names:
            return
        gradients = [local_shard(self._parameters[n].grad) for n in names]  # type: ignore[arg-type]
        norms = all_reduce_norms(torch.stack([g.norm().float() for g in gradients]), self._sharded).tolist()
        for name, norm in zip(names, norms, strict=True):
            if norm > 0 and norm < float("inf"):
                self._undecided.discard(name)
            elif norm != 0:
                self._not_finite.add(name)

    def see_loss(self, loss: float) -> None:
        """Note a training loss: a loss that is always zero teaches nothing, which is not the method's fault."""
        self._loss_was_zero = self._loss_was_zero and loss == 0

    def stepped(self, learning_rate: float, skipped: bool = False) -> None:
        """Count an optimizer step. After the third effective one the verdict falls.

        Raises:
            DefectError: no tensor of a group moved, and no input explains it.
            InputError: no tensor of a group moved because of the data or config.
        """
        if learning_rate <= 0 or skipped:
            return
        self._steps += 1
        if self._steps == STEPS_TO_DECIDE:
            self._decide()

    def _decide(self) -> None:
        self._decided = True
        still = self._still(self._trained)
        for group, members in self._groups.items():
            if not set(members) <= still:
                continue
            named = f"the {group} of method {self._method} ({len(members)} tensors, {first_of(members)})"
            if self._not_finite & set(members):
                raise InputError(
                    f"{named} does not learn: its gradients are not finite. "
                    "Lower LR, or look for extreme values in the data."
                )
            if self._loss_was_zero:
                raise InputError(
                    f"{named} does not learn: the loss is zero for every batch, so no row has anything to teach."
                    " Check that the rows have targets that are not cut off or masked."
                )
            raise DefectError(f"{named} stood still for {STEPS_TO_DECIDE} steps: it got no gradient and did not move.")

    def _still(self, names: Iterable[str]) -> set[str]:
        """Return the tensors that have not passed. A tensor moved by gradients that are not finite has not passed."""
        candidates = {n for n in names if n in self._undecided}
        moved = self._moved(candidates - self._not_finite)
        return candidates - moved

    def _moved(self, names: Iterable[str]) -> set[str]:
        """Return the tensors that are not what they were, in the share of any process."""
        moved = {n for n in names if fingerprint(self._parameters[n]) != self._start.get(n)}
        return union_over_ranks(moved) if self._sharded else moved

    def verdict(self) -> TrainingVerdict:
        """Return the counts for `result.json`. Call it when training is over.

        Tensors that never moved are named now and not when the verdict falls: a detector's regression has no gradient
        before the first object that it is responsible for.

        Raises:
            DefectError: a frozen tensor changed.
        """
        if not self._start:
            return {"verdict": "not trained", "steps": 0}
        changed = sorted(self._moved(self._frozen))
        if changed:
            raise DefectError(f"{len(changed)} frozen tensors changed while training: {first_of(changed)}.")
        moved = len(self._moved(self._trained))
        still = self._still(self._trained)
        if still and self._decided:
            log.warning(
                "%d of %d tensors that should train never did: no row of %d steps gave them a gradient (%s).",
                *(len(still), len(self._trained), self._steps, first_of(sorted(still))),
            )
        return {
            "verdict": "learned" if self._decided else f"not decided: fewer than {STEPS_TO_DECIDE} effective steps",
            "steps": self._steps,
            "trained_tensors": len(self._trained),
            "moved_tensors": moved,
            "still_tensors": sorted(still),
            "frozen_tensors": len(self._frozen),
            "frozen_changed": 0,
        }
