"""The keypoints of COCO annotations as mmpose describes them."""

from __future__ import annotations

from typing import Any

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.annotations.average_precision import keypoint_sigmas
from adapt_vision_mm.pose_detection.mirrored_points import swapped_points

_COLOUR = [51, 153, 255]


def metainfo(split: AnnotatedSplit) -> dict[str, Any]:
    """Return names, mirrored pairs, skeleton and OKS sigmas of the keypoints."""
    category = split.categories[0]
    names, swaps = list(category.keypoints), swapped_points(category)
    return {
        "dataset_name": category.name,
        "keypoint_info": {
            number: {"id": number, "name": name, "color": _COLOUR, "type": "", "swap": swaps.get(name, "")}
            for number, name in enumerate(names)
        },
        "skeleton_info": {
            number: {"id": number, "link": (names[a], names[b]), "color": _COLOUR}
            for number, (a, b) in enumerate(category.skeleton)
        },
        "joint_weights": [1.0] * len(names),
        "sigmas": keypoint_sigmas(split),
    }
