"""Left and right in the names of keypoints and classes."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

from adapt_core.errors import first_of

_SIDES = (
    re.compile(r"left|right", re.IGNORECASE),  # left_eye, earRight
    re.compile(r"(?<![A-Za-z])[lr](?![A-Za-z])", re.IGNORECASE),  # L_eye, Hip_R, eye.l
    # lft_eye, eye_rgt; but lt and rt are corners beside lb and rb, of which lt takes the place of rt and lb that of rb
    re.compile(r"(?<![A-Za-z])(lft|rgt)(?![A-Za-z])", re.IGNORECASE),
    re.compile(r"^[lr](?=[A-Z])"),  # lShoulder, rEYE
    re.compile(r"^[LR](?=[A-Z][a-z])"),  # LShoulder
    re.compile(r"(?<=[a-z0-9])[LR](?=[0-9]*$)"),  # eyeL, handR2
)
"""How names say a side."""

_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l", "lft": "rgt", "rgt": "lft"}

log = logging.getLogger(__name__)


def mirrored(name: str, names: Sequence[str]) -> str:
    """Return the keypoint that takes this one's place in a mirrored image, or "" if there is none, or several.

    Args:
        name: "left ear", "L_ear", "ear.l", "lEar", "earL", in any case where that leaves no doubt.
        names: all keypoints.
    """
    others = opposites(name, names)
    return others[0] if len(others) == 1 and opposites(others[0], names) == [name] else ""


def mirrored_classes(names: Sequence[str]) -> list[str]:
    """Return the pairs of classes of which one may be the other in a mirrored image: "left hand / right hand".

    A class may be in several pairs, where names differ in capital letters alone.
    """
    pairs = ((name, other) for name in names for other in opposites(name, names))
    return [f"{name} / {other}" for name, other in pairs if name.casefold() < other.casefold()]


def report_mirrored_classes(names: Sequence[str], key: str) -> None:
    """Warn that images are not mirrored where that may show another class.

    Args:
        names: all classes.
        key: that augments.
    """
    pairs = mirrored_classes(names)
    if pairs:
        log.warning(
            "%s: training images are not mirrored, since the names of these classes say left and right: %s",
            key,
            first_of(pairs),
        )


def one_sided(names: Sequence[str]) -> list[str]:
    """Return the keypoints whose name says a side, and whose other side is not one of the names."""
    return [name for name in names if _twins(name) and not mirrored(name, names)]


def contradicted(names: Sequence[str], swaps: Mapping[str, str]) -> list[str]:
    """Return the keypoints whose name says what their opposite is, and that have another one, or none.

    Args:
        names: all keypoints.
        swaps: keypoint -> the one that takes its place in a mirrored image.
    """
    return [name for name in names if (other := mirrored(name, names)) and swaps.get(name) != other]


def opposites(name: str, names: Sequence[str]) -> list[str]:
    """Return the keypoints whose names say the other side of this one's."""
    twins = _twins(name)
    return [other for other in names if other.casefold() in twins and name.casefold() in _twins(other)]


def _twins(name: str) -> list[str]:
    """Return the case-folded names that a name's other side can have: every left is right, as in left_to_right."""
    twins = (pattern.subn(lambda place: _OTHER[place[0].casefold()], name) for pattern in _SIDES)
    return [twin.casefold() for twin, count in twins if count]
