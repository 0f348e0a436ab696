"""Which keypoint takes another's place in a mirrored image, by their names or the category's own pairs."""

from __future__ import annotations

import logging

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import Category
from adapt_vision_mm.images.sides import contradicted, mirrored, one_sided, opposites

log = logging.getLogger(__name__)


def swapped_points(category: Category) -> dict[str, str]:
    """Return which keypoint takes each one's place in a mirrored image, for those that change places.

    The category's `flip_pairs` decide where it has any, else the names.
    """
    names = category.keypoints
    if category.flip_pairs:
        return {names[a]: names[b] for pair in category.flip_pairs for a, b in (pair, pair[::-1])}
    return {name: mirrored(name, names) for name in names if mirrored(name, names)}


def may_mirror(category: Category) -> bool:
    """Return whether a mirrored image teaches no keypoint as its opposite: there are pairs, and none lacks a part."""
    return bool(category.flip_pairs) or (bool(swapped_points(category)) and not one_sided(category.keypoints))


def require_agreement(category: Category, source: str) -> None:
    """Check that `flip_pairs` and the names of the keypoints agree on what is left and right.

    Args:
        category: of the keypoints.
        source: the file, for the message.

    Raises:
        DataError: a name says a side, and the pairs give it another opposite or none.
    """
    if not category.flip_pairs:
        return
    given = swapped_points(category)
    wrong = contradicted(category.keypoints, given)
    if wrong:
        name, other = wrong[0], mirrored(wrong[0], category.keypoints)
        said = f"pairs {name!r} with {given[name]!r}" if name in given else f"leaves {name!r} out"
        raise DataError(
            f"{source}: category {category.id}: flip_pairs {said}, and by its name the opposite is {other!r}. "
            "Correct flip_pairs or the names of the keypoints."
        )


def report_mirroring(category: Category) -> None:
    """Log the pairs that change places in mirrored training images, or why none are mirrored."""
    names = category.keypoints
    if may_mirror(category):
        swaps = swapped_points(category)
        firsts = [name for name, other in swaps.items() if names.index(name) < names.index(other)]
        shown = ", ".join(f"{name} / {swaps[name]}" for name in firsts)
        log.info("augment: in mirrored images these keypoints change places: %s", shown)
        return
    alone = one_sided(names)
    several = [name for name in alone if len(opposites(name, names)) > 1]
    reason = (
        f"several counterparts for: {', '.join(several[:5])}"
        if several
        else f"no counterpart for: {', '.join(alone[:5])}"
        if alone
        else "no name says left or right"
    )
    log.warning(
        "augment: training images are not mirrored, since it is unknown which keypoints would change places (%s). "
        "Names such as left_eye and right_eye, L_eye and R_eye, or eye.l and eye.r are recognised.",
        reason,
    )
