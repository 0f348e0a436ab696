"""Training images mixed in pairs: MIXUP and CUTMIX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import torch
from torchvision.transforms.v2 import CutMix, MixUp, Transform

from adapt_core.contracts import Job

from adapt_vision_mm.image_classification.params import ImageClassificationParams

_MIXED = 0x9E3779B97F4A7C15
_SEEDS = 2**63 - 1


@attrs.define(kw_only=True)
class Mixing:
    """Mixes each image of a training batch with the one before it, and their targets alike.

    mixup (Zhang et al., 2018, arXiv:1710.09412) adds both images; cutmix (Yun et al., 2019, arXiv:1905.04899) puts a
    box of one into the other. Where both are wanted, each batch gets one of them, by chance. What is drawn depends on
    the seed, the step and the process alone, so a resumed run draws the same.

    Attributes:
        mixup, cutmix: the parameter of the Beta distribution that shares are drawn from; 0 for none.
        classes: the number of classes where a target is a class id, which becomes a share of each class; else None.
        seed: of the run and its process.
    """

    mixup: float
    cutmix: float
    classes: int | None
    seed: int
    _step: int = -1
    _batch: int = 0

    def __call__(self, batch: Mapping[str, Any], step: int) -> dict[str, Any]:
        """Return a batch with its images and targets mixed.

        Args:
            batch: `pixel_values` (rows, 3, height, width) and `labels`: int64 (rows,), or float (rows, labels).
            step: completed optimizer steps; further batches of a step draw anew.

        Returns:
            the same, with `labels` float32 (rows, classes or labels).
        """
        self._batch = self._batch + 1 if step == self._step else 0
        self._step = step
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((self.seed * _MIXED + step * 1_000_003 + self._batch * 7_368_787) % _SEEDS)
            kinds = self._kinds()
            chosen = kinds[int(torch.randint(len(kinds), ()))]
            images, labels = chosen(batch["pixel_values"], batch["labels"])
        return {**batch, "pixel_values": images, "labels": labels}

    def _kinds(self) -> list[Transform]:
        wanted = ((MixUp, self.mixup), (CutMix, self.cutmix))
        return [kind(alpha=alpha, num_classes=self.classes) for kind, alpha in wanted if alpha]


def mixing_of(params: ImageClassificationParams, job: Job, names: int) -> Mixing:
    """Return what mixes the training images of this process.

    Args:
        params: for MIXUP and CUTMIX.
        job: for the seed, and the images, whose targets are class ids or not.
        names: the number of classes.
    """
    ids = bool(job.data.train.labels) and isinstance(job.data.train.labels[0], int)
    return Mixing(
        mixup=params.mixup,
        cutmix=params.cutmix,
        classes=names if ids else None,
        seed=job.plan.training.seed * job.world.size + job.world.rank,
    )
