"""The step that runs a config's own training pipeline, with images that mosaic, mixup and copy-paste mix in."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from adapt_vision_mm.openmmlab.contracts import Step
from adapt_vision_mm.openmmlab.detectors.own_pipeline import OWN
from adapt_vision_mm.openmmlab.photo import load_photos

if TYPE_CHECKING:
    from mmdet.datasets import BaseDetDataset

_TRIES = 100
"""Images that are tried in place of one that the pipeline drops."""

_CACHED_IMAGES = 5
"""Images that a step takes to be in its cache: mosaic begins with five."""

Results = dict[str, Any]


@TRANSFORMS.register_module(name=OWN)
class OwnTraining(BaseTransform):
    """Runs the steps of `own_pipeline` on an image of a data set.

    What is drawn depends on Python's and NumPy's random states, which the data set sets for each image and epoch.

    Args:
        steps: of the pipeline.
        partners_after: how many steps the images that are mixed in have run; None for those before the step that mixes.
        last_steps: of the last epochs; None for the same.
        last_share: of the config's epochs.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        partners_after: int | None = None,
        last_steps: Sequence[Step] | None = None,
        last_share: float = 0.0,
    ) -> None:
        self._steps = [TRANSFORMS.build(step) for step in load_photos(steps)]
        self._last = None if last_steps is None else [TRANSFORMS.build(step) for step in load_photos(last_steps)]
        self._partners_after = partners_after
        self.last_share = last_share

    def transform(self, results: Results) -> Results:
        """Run nothing: `prepare` does, for it needs the other images."""
        return results

    def prepare(self, dataset: BaseDetDataset, number: int, *, last: bool) -> Results | None:
        """Return a training example; of another image, drawn at random, where the pipeline drops this one.

        Args:
            dataset: of the images.
            number: of the image.
            last: whether it is of the last epochs.
        """
        steps = self._last if last and self._last is not None else self._steps
        for _ in range(_TRIES):
            found = self._run(dataset, number, steps, len(steps))
            if found is not None:
                return found
            number = dataset._rand_another()
        return None

    def _run(self, dataset: BaseDetDataset, number: int, steps: Sequence[BaseTransform], until: int) -> Results | None:
        results: Results | None = copy.deepcopy(dataset.get_data_info(number))
        for place, step in enumerate(steps[:until]):
            assert results is not None
            before = place if self._partners_after is None else min(self._partners_after, place)
            partners = _Partners(self, dataset, steps, before)
            if hasattr(step, "results_cache"):
                step.results_cache = _Drawn(partners)
            elif hasattr(step, "get_indexes"):
                drawn = step.get_indexes(partners)
                numbers = drawn if isinstance(drawn, (list, tuple)) else [drawn]
                results["mix_results"] = [partners[one] for one in numbers]
            results = step(results)
            if results is None:
                return None
            results.pop("mix_results", None)
        return results


class _Partners:
    """The images of a data set as a step that mixes takes them."""

    def __init__(
        self, owner: OwnTraining, dataset: BaseDetDataset, steps: Sequence[BaseTransform], before: int
    ) -> None:
        self._owner, self._dataset, self._steps, self._before = owner, dataset, steps, before

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, number: int) -> Results:
        """Return an image that has run the steps before; mmdet draws the length, too, as a number."""
        for _ in range(_TRIES):
            found = self._owner._run(self._dataset, number % len(self), self._steps, self._before)
            if found is not None:
                return found
            number = self._dataset._rand_another()
        raise ValueError("the pipeline drops every image that is mixed in")


class _Drawn:
    """The cache of a step that mixes what it has seen: whatever the step takes from it is an image drawn at random."""

    def __init__(self, partners: _Partners) -> None:
        self._partners = partners

    def append(self, results: Results) -> None:
        """Keep nothing."""

    def __len__(self) -> int:
        return _CACHED_IMAGES

    def __getitem__(self, _: int) -> Results:
        return self._partners[numpy.random.randint(len(self._partners))]
