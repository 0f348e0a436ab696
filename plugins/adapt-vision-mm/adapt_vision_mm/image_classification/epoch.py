"""Several data sets in one run: their shares of an epoch, and which examples metrics are measured on for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.config.data_places import data_places
from adapt_core.hf.data.places import mixed, named, place_figures, require_deciding_rows

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan
    from adapt_core.contracts import TaskData

    from adapt_vision_mm.image_classification.data import Rows
    from adapt_vision_mm.image_classification.params import ImageClassificationParams


def share_out(plan: Plan[ImageClassificationParams], rows: Rows, data: TaskData) -> None:
    """Give each data set its share of the training examples, and each validation and test set its metrics.

    Args:
        plan: for the data sets and the seed.
        rows: of all of them.
        data: their examples; changed in place.
    """
    places, epoch = data_places(plan.data), dict[int, int]()
    if data.train is not None:
        chosen, epoch = mixed(rows.parts["train"], places, plan.training.seed)
        data.train = data.train if chosen is None else data.train.in_epoch(chosen)
    data.parts = {split: named(parts, places) for split, parts in rows.parts.items() if split != "train"}
    if plan.training.do_train and "validation" in data.parts:
        require_deciding_rows(plan, data.parts["validation"])
    data.stats["places"] = place_figures(places, rows.parts, epoch)
