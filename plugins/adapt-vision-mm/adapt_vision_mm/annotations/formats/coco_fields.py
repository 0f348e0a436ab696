"""The fields of COCO JSON as writers leave them: null, absent, or of another type than COCO's own files have.

A field that can mean one thing only is read as that; for any other value, `FieldError` says which and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import Category, one_line
from adapt_vision_mm.annotations.image_files import SizeError, annotated_size
from adapt_vision_mm.annotations.mask_check import is_number
from adapt_vision_mm.images.sides import contradicted

_TEXT = 40
"""Characters of a value that a message shows."""


class FieldError(ValueError):
    """A field has a value that means nothing; the message is the reason."""


def is_id(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number, as ids are."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_name(value: object) -> str | None:
    """Return a name without the white space around it and line breaks in it; None where there is none."""
    return one_line(str(value)) or None if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def read_categories(entries: Sequence[Any], path: Path) -> tuple[Category, ...]:
    """Return the classes in the order of their ids.

    Raises:
        DataError: one has no id or name, two have the same, or its keypoints cannot be used.
    """
    for entry in entries:
        if not isinstance(entry, Mapping) or not is_id(entry.get("id")) or read_name(entry.get("name")) is None:
            raise DataError(f"{path}: a category needs an id (a whole number) and a name; not {str(entry)[:80]}.")
    for key, values in (("name", [read_name(e["name"]) for e in entries]), ("id", [e["id"] for e in entries])):
        repeated = [value for value, count in Counter(values).items() if count > 1]
        if repeated:
            raise DataError(
                f"{path}: the class {key} {repeated[0]!r} is repeated in the categories. Give each its own."
            )
    try:
        return tuple(_read_category(entry) for entry in sorted(entries, key=lambda entry: int(entry["id"])))
    except FieldError as defect:
        raise DataError(f"{path}: {defect}.") from None


def _read_category(entry: Mapping[str, Any]) -> Category:
    where = f"category {entry['id']}"
    names = [read_name(name) for name in _read_list(entry, "keypoints", where)]
    if None in names or len(set(names)) < len(names):
        raise FieldError(f"{where}: keypoints has a name for each point, none twice; not {_shown(entry['keypoints'])}")
    points = tuple(name for name in names if name is not None)
    sigmas = _read_list(entry, "sigmas", where)
    if not all(is_number(value) and value > 0 for value in sigmas):
        raise FieldError(f"{where}: sigmas are numbers above 0, one for each point; not {_shown(sigmas)}")
    if sigmas and len(sigmas) != len(points):
        raise FieldError(f"{where}: it has {len(points)} keypoints and {len(sigmas)} sigmas; each point has one")
    return Category(
        id=entry["id"],
        name=str(read_name(entry["name"])),
        keypoints=points,
        skeleton=_read_skeleton(entry, points, where),
        sigmas=tuple(map(float, sigmas)),
        flip_pairs=_read_flip_pairs(entry, points, where),
    )


def _read_list(entry: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = entry.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise FieldError(f"{where}: {key} is a list; not {_shown(value)}")
    return value


def _read_pairs(entry: Mapping[str, Any], key: str, points: tuple[str, ...], where: str) -> list[list[int | str]]:
    """Return pairs of keypoints, each a name or a number."""
    links = _read_list(entry, key, where)
    pairs = [pair for pair in links if isinstance(pair, list) and len(pair) == 2]
    ends = [end for pair in pairs for end in pair]
    known = _known_ends(points, 0 if any(is_id(end) and end == 0 for end in ends) else 1)
    unknown = [end for end in ends if not isinstance(end, (str, int)) or isinstance(end, bool) or end not in known]
    if unknown or len(pairs) < len(links):
        raise FieldError(
            f"{where}: {key} has pairs of keypoints, by number or by name; not "
            f"{_shown(unknown[0] if unknown else links)}"
        )
    return pairs


def _known_ends(points: tuple[str, ...], first: int) -> dict[str | int, int]:
    """Return the positions of keypoints by their name, and by their number counted from 0 or 1."""
    return {**{name: place for place, name in enumerate(points)}, **{p + first: p for p in range(len(points))}}


def _positions(pairs: list[list[int | str]], points: tuple[str, ...], first: int) -> tuple[tuple[int, int], ...]:
    known = _known_ends(points, first)
    return tuple((known[a], known[b]) for a, b in pairs)


def _first_number(pairs: list[list[int | str]], points: tuple[str, ...]) -> int | None:
    """Return the number of the first keypoint: 0 where there is a 0, 1 where there is that of the last; else None."""
    ends = {end for pair in pairs for end in pair}
    return 0 if 0 in ends else 1 if len(points) in ends else None


def _read_skeleton(entry: Mapping[str, Any], points: tuple[str, ...], where: str) -> tuple[tuple[int, int], ...]:
    """Return the pairs of joined keypoints (0-based). COCO counts them from 1; a 0 shows that a file does not."""
    pairs = _read_pairs(entry, "skeleton", points, where)
    return _positions(pairs, points, 0 if _first_number(pairs, points) == 0 else 1)


def _read_flip_pairs(entry: Mapping[str, Any], points: tuple[str, ...], where: str) -> tuple[tuple[int, int], ...]:
    """Return the pairs of keypoints that change places in a mirrored image, as some writers list them.

    mmpose counts them from 0, and keypoint 0 has no opposite in many bodies. Where the numbers do not tell, the names
    do, else the numbers of the skeleton.
    """
    given = _read_pairs(entry, "flip_pairs", points, where)
    first = _first_number(given, points)
    readings = {start: _positions(given, points, start) for start in ((0, 1) if first is None else (first,))}
    if len(set(readings.values())) > 1:
        readings = _closest_to_names(readings, points)
    if len(set(readings.values())) > 1:
        first = _first_number(_read_pairs(entry, "skeleton", points, where), points)
        if first is None:
            raise FieldError(
                f"{where}: flip_pairs may count its keypoints from 0 or from 1, and neither their names nor the "
                "skeleton show which. Give names in place of numbers"
            )
        readings = {first: readings[first]}
    pairs = tuple(dict.fromkeys((min(pair), max(pair)) for pair in next(iter(readings.values()))))
    counts = Counter(number for pair in pairs for number in pair)
    wrong = next((points[number] for number, count in counts.items() if count > 1), None)
    if wrong is not None:
        raise FieldError(
            f"{where}: flip_pairs pairs {wrong!r} with itself or with several keypoints; it has one opposite"
        )
    return pairs


def _closest_to_names(
    readings: Mapping[int, tuple[tuple[int, int], ...]], points: tuple[str, ...]
) -> dict[int, tuple[tuple[int, int], ...]]:
    """Return the readings of pairs that contradict the fewest names."""
    against = {
        first: len(contradicted(points, {points[a]: points[b] for pair in pairs for a, b in (pair, pair[::-1])}))
        for first, pairs in readings.items()
    }
    return {first: pairs for first, pairs in readings.items() if against[first] == min(against.values())}


def read_size(entry: Mapping[str, Any], upright: tuple[int, int], stored: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) of an image's entry: the file's own where the entry has null, 0 or none.

    Args:
        entry: of the list "images".
        upright: (width, height) of the file with its EXIF rotation.
        stored: the same without.

    Raises:
        FieldError: it is not a number, or not that of the file.
    """
    given = (entry.get("width") or 0, entry.get("height") or 0)
    for key, value in zip(("width", "height"), given, strict=True):
        if not is_number(value):
            kind = "text" if isinstance(value, str) else type(value).__name__
            raise FieldError(f"{key} is {kind} ({_shown(value)}), not a number")
    try:
        return annotated_size(given, upright, stored)
    except SizeError as error:
        raise FieldError(str(error)) from None


def read_flag(entry: Mapping[str, Any], key: str) -> bool:
    """Return whether a field that is 0 or 1 is set; null and absent mean 0.

    Raises:
        FieldError: it is neither.
    """
    value = entry.get(key) or 0
    if value not in (0, 1):
        raise FieldError(f"{key} is {_shown(value)}; it is 0 or 1")
    return bool(value)


def read_area(entry: Mapping[str, Any], box_area: float) -> float:
    """Return the area of an annotation in square pixels: that of its box where it has null, 0 or none.

    Raises:
        FieldError: it is not a number, or negative.
    """
    value = entry.get("area") or box_area
    if not is_number(value) or value < 0:
        raise FieldError(f"area is {_shown(value)}, not a number of square pixels")
    return float(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."
