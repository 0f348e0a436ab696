"""Languages by any of their codes: en, eng, en_XX and eng_Latn all mean English."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_NEAR_ENOUGH = 9
"""The largest distance of CLDR language matching at which two tags are one language: regions and macro-languages
differ by less, scripts by 10 or more."""
_NEAREST = 5


def match(wanted: str, codes: Iterable[str]) -> str | None:
    """Return the code among `codes` that means the language `wanted`, or None.

    An equal code is preferred, then the nearest one by the language matching of the Unicode CLDR.
    """
    table = list(codes)
    same = next((code for code in table if code.casefold() == wanted.casefold()), None)
    if wanted in table or same is not None:
        return wanted if wanted in table else same
    from langcodes import closest_match, tag_is_valid

    tags = {_tag(code): code for code in reversed(table) if tag_is_valid(_tag(code))}
    if not tags or not tag_is_valid(_tag(wanted)):
        return None
    found, _distance = closest_match(_tag(wanted), list(tags), max_distance=_NEAR_ENOUGH)
    return tags.get(found)


def nearest(wanted: str, codes: Iterable[str]) -> list[str]:
    """Return the codes whose language part is most similar to `wanted`, best first."""
    folded = wanted.casefold()

    def likeness(code: str) -> float:
        return SequenceMatcher(None, folded, _tag(code).split("-")[0].casefold()).ratio()

    return sorted(codes, key=lambda code: (-likeness(code), code))[:_NEAREST]


def _tag(code: str) -> str:
    return code.replace("_", "-").removesuffix("-XX")
