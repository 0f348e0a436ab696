"""The annotation file of a split that bears a usual name, and which of two is meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from adapt_vision_mm.annotations.coco_images import SPLIT_FOLDERS, split_named_by

if TYPE_CHECKING:
    from adapt_vision_mm.mm_params import MmParams

SplitName = Literal["train", "val", "test"]

_SERVICES = ("_annotations.coco.json", "annotations_coco.json")
"""What services write beside the images of a split."""


def doubt_about(file: Path, split: SplitName, params: MmParams) -> str | None:
    """Return why a default's file is meant less likely than one of a standard name; None where there is no reason.

    It may bear the name of another split: nyuntam_adapt's default trains poses on COCO's validation file. A list of
    label maps is of no use without class_list.
    """
    if file.suffix == ".txt" and not getattr(params, "class_list", True):
        return f"{file} lists label maps, and class_list is not set"
    other = split_named_by(file)
    return f"{file} bears the name of {other}" if other not in (None, split) else None


def find_standard(root: Path, images: Path | None, split: SplitName, *, keypoints: bool) -> Path | None:
    """Return the file of a split that COCO's or Roboflow's name has, if there is one."""
    prefixes = ("person_keypoints", "keypoints") if keypoints else ("instances",)
    candidates = [
        *(images / name for name in _SERVICES if images),
        *(root / "annotations" / f"{p}_{split}{year}.json" for p in prefixes for year in ("2017", "2014", "")),
        *(root / folder / name for folder in SPLIT_FOLDERS[split] for name in _SERVICES),
        *(place / f"{split}.json" for place in (root, root / "annotations") if split != "test"),
    ]
    return next((path for path in candidates if path.is_file()), None)
