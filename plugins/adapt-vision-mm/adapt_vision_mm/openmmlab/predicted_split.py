"""The images of a test split, which DO_PREDICT predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.sources import find_test_folder
from adapt_vision_mm.images.inputs import list_images
from adapt_vision_mm.openmmlab.contracts import DataSource

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan
    from adapt_core.execution.rows import Table

    from adapt_vision_mm.mm_params import MmParams


def images_of_test_split(plan: Plan[MmParams], splits: Mapping[str, AnnotatedSplit], data: DataSource) -> Table | None:
    """Return the images of the test split, with or without annotations; None where the data has none.

    Args:
        plan: of the run.
        splits: those with annotations, by name.
        data: of the task.
    """
    test = splits.get("test")
    if test is not None:
        return [{"image": str(image.path), "image_id": image.id} for image in test.images]
    listed = data.list_unannotated_test()
    if listed is not None:
        return [{"image": str(path), "image_id": number} for number, path in listed.items()]
    folder = find_test_folder(plan, splits.values())
    return None if folder is None else [{"image": str(path)} for path in list_images([str(folder)])]
