"""Which keypoint takes another's place in a mirrored image, by their names."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

_SIDES = (
    (re.compile(r"left|right", re.IGNORECASE), {"left": "right", "right": "left"}),  # left_eye, earRight
    (re.compile(r"(?<![A-Za-z])[lr](?![A-Za-z])", re.IGNORECASE), {"l": "r", "r": "l"}),  # L_eye, Hip_R, eye.l
    (re.compile(r"^[lr](?=[A-Z][a-z])"), {"l": "r", "r": "l"}),  # lShoulder
    (re.compile(r"^[LR](?=[A-Z][a-z])"), {"l": "r", "r": "l"}),  # LShoulder
    (re.compile(r"(?<=[a-z0-9])[LR]$"), {"l": "r", "r": "l"}),  # eyeL
)
"""How names say a side, and the other side's word."""

log = logging.getLogger(__name__)


def mirrored(name: str, names: Sequence[str]) -> str:
    """Return the keypoint that takes this one's place in a mirrored image, or "" if there is none.

    Args:
        name: "left ear", "L_ear", "ear.l", "lEar", "earL", in any case where that leaves no doubt.
        names: all keypoints.
    """
    folded = {other.casefold(): other for other in names}
    others = (folded.get(twin, "") for twin in _twins(name))
    return next((other for other in others if other and name.casefold() in _twins(other)), "")


def mirrored_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of keypoints that change places in a mirrored image."""
    found = [(name, mirrored(name, names)) for name in names]
    return [(name, other) for name, other in found if other and names.index(name) < names.index(other)]


def one_sided(names: Sequence[str]) -> list[str]:
    """Return the keypoints whose name says a side, and whose other side is not among the names."""
    return [name for name in names if _twins(name) and not mirrored(name, names)]


def may_mirror(names: Sequence[str]) -> bool:
    """Return whether a mirrored image teaches no keypoint as its opposite: there are pairs, and none lacks a part."""
    return bool(mirrored_pairs(names)) and not one_sided(names)


def report_mirroring(names: Sequence[str]) -> None:
    """Log the pairs that change places in mirrored training images, or why none are mirrored."""
    if may_mirror(names):
        pairs = ", ".join(f"{one} / {other}" for one, other in mirrored_pairs(names))
        log.info("augment: in mirrored images these keypoints change places: %s", pairs)
        return
    alone = one_sided(names)
    reason = f"no counterpart for: {', '.join(alone[:5])}" if alone else "no name says left or right"
    log.warning(
        "augment: training images are not mirrored, since it is unknown which keypoints would change places (%s). "
        "Names such as left_eye and right_eye, L_eye and R_eye, or eye.l and eye.r are recognised.",
        reason,
    )


def _twins(name: str) -> list[str]:
    """Return the case-folded names that a name's other side can have."""
    twins = []
    for pattern, opposite in _SIDES:
        place = pattern.search(name)
        if place:
            twins.append(f"{name[: place.start()]}{opposite[place[0].casefold()]}{name[place.end() :]}".casefold())
    return twins
