"""How tags spell entities, the same tags as B-, I-, E-, S- and O, and the entities of those.

Prefixes (B-PER) and suffixes (PER-B) mark where an entity begins; tags without either (PER) make one entity of each
run. IOB2, IOBES and BILOU are those of Ratinov and Roth: Design Challenges and Misconceptions in Named Entity
Recognition. CoNLL 2009.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from adapt_core.errors import first_of

OUTSIDE = "O"
_PLACE = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
"""Begin, inside (middle), end (last), single (unit, whole) -> conlleval's letter."""

_PREFIXED = re.compile(r"(?P<place>[BIMELSUW])[-_](?P<type>.+)", re.DOTALL)
_SUFFIXED = re.compile(r"(?P<type>.+)[-_](?P<place>[BIMELSUW])", re.DOTALL)
_BARE = re.compile(r"[BIMELSUW]")
_SMALL = tuple(re.compile(pattern.pattern, pattern.flags | re.IGNORECASE) for pattern in (_PREFIXED, _SUFFIXED))

log = logging.getLogger(__name__)


def as_entity_tags(names: Iterable[str]) -> dict[str, str]:
    """Return each tag of a data set -> its meaning in B-, I-, E-, S- and O.

    Letters are read as places only where every tag but O has one in the same position, or where B or I do: otherwise
    `E-mail` would be the end of a `mail`. Small letters (`b-per`, `i-per`) are places where every tag has one, and some
    type has both. Tags without a place make one entity of each run.

    Args:
        names: all tags of a data set.
    """
    given = list(dict.fromkeys(names))
    outside = OUTSIDE if OUTSIDE in given else OUTSIDE.lower()
    inside = [name for name in given if name != outside]
    if inside and all(_BARE.fullmatch(name) for name in inside):
        return {name: OUTSIDE if name == outside else f"{_PLACE[name]}-entity" for name in given}
    pattern = _pattern(inside)
    return {name: OUTSIDE if name == outside else _entity_tag(name, pattern) for name in given}


def _pattern(names: list[str]) -> re.Pattern[str] | None:
    patterns = (_PREFIXED, _SUFFIXED)
    for pattern in patterns:
        if names and all(pattern.fullmatch(name) for name in names):
            return pattern
    for pattern in patterns:
        if any((found := pattern.fullmatch(name)) and found["place"] in "BI" for name in names):
            return pattern
    for pattern in _SMALL:
        places = [found for name in names if (found := pattern.fullmatch(name))]
        begun, inside = ({each["type"] for each in places if each["place"].upper() == place} for place in "BI")
        if len(places) == len(names) and begun & inside:
            return pattern
    return None


def _entity_tag(name: str, pattern: re.Pattern[str] | None) -> str:
    found = pattern.fullmatch(name) if pattern else None
    return f"{_PLACE[found['place'].upper()]}-{found['type']}" if found else f"I-{name}"


def entities_of(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield (type, first word, last word) of each entity of a document, as conlleval reads tags.

    An entity begins at B- and S-, behind O, E- and S-, and where the type changes; seqeval reads the same ones.

    Args:
        tags: those of `as_entity_tags`.
    """
    begun, place, kind = 0, OUTSIDE, ""
    for word, tag in enumerate([*tags, OUTSIDE]):
        its_place, _, its_kind = tag.partition("-")
        begins = its_place in "BS" or place in "OES" or its_kind != kind
        if place != OUTSIDE and (its_place == OUTSIDE or begins):
            yield kind, begun, word - 1
        if begins:
            begun = word
        place, kind = its_place, its_kind


def warn_of_runs(tags: Mapping[str, str]) -> None:
    """Say where tags mark no place, so that two entities of one type side by side count as one.

    Args:
        tags: the return value of `as_entity_tags`.
    """
    runs = [name for name, tag in tags.items() if tag == f"I-{name}"]
    if runs:
        log.warning(
            "tags that mark no beginning (%s): each run of one of them is one entity, so two neighbours of one type "
            "count as one. B- and I- before the tags would keep them apart.",
            first_of(runs),
        )
    if OUTSIDE not in tags.values():
        log.warning("no tag is %r: each word counts as part of an entity.", OUTSIDE)
