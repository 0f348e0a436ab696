"""Which scheme the tags of a file are in, and the same tags in IOB2.

IOB1 writes B- only where an entity follows another of its type (Ramshaw and Marcus, 1995), IOB2 at each beginning;
BIOES and BILOU mark ends and single words too (Ratinov and Roth, 2009).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import attrs

OUTSIDE = "O"
_TAG = re.compile(r"([BIESLU])-(.+)")
_ENDS = {"E": "I", "S": "B", "L": "I", "U": "B"}
"""Letters that only BIOES and BILOU have -> theirs in IOB2."""


@attrs.frozen
class Tag:
    """A tag at its place.

    Attributes:
        letter: B, I, E, S, L or U; O outside of entities.
        type: of the entity; "" outside.
        where: file and line, for messages.
    """

    letter: str
    type: str
    where: str

    @classmethod
    def of(cls, text: str, where: str) -> Tag | None:
        """Return a tag, or None where the text is none."""
        found = _TAG.fullmatch(text)
        if found is None:
            return cls(OUTSIDE, "", where) if text == OUTSIDE else None
        return cls(found[1], found[2], where)

    def __str__(self) -> str:
        return f"{self.letter}-{self.type}" if self.type else self.letter


class SchemeError(ValueError):
    """No scheme allows a sequence of tags; the message has its places."""


def scheme_of(sentences: Sequence[Sequence[Tag]]) -> str:
    """Return the scheme of a file's tags: IOB1, IOB2, BIOES or BILOU.

    Tags that IOB1 and IOB2 write alike are IOB2.

    Raises:
        SchemeError: none allows them.
    """
    letters = {tag.letter for tags in sentences for tag in tags}
    if letters & set("ES") and letters & set("LU"):
        first = {letter: next(_those(sentences, letter)) for letter in letters & set("ESLU")}
        told = " and ".join(f"{tag} ({tag.where})" for tag in first.values())
        raise SchemeError(f"{told} are of different schemes: BIOES has E and S, BILOU has L and U")
    if letters & set("ESLU"):
        for tags in sentences:
            _check_ends(tags)
        return "BIOES" if letters & set("ES") else "BILOU"
    pairs = [pair for tags in sentences for pair in zip([None, *tags], tags, strict=False)]
    opened = next((tag for before, tag in pairs if tag.letter == "I" and not _goes_on(before, tag)), None)
    begun = next((tag for before, tag in pairs if tag.letter == "B" and not _goes_on(before, tag)), None)
    if opened is not None and begun is not None:
        raise SchemeError(
            f"{opened} begins an entity at {opened.where}, as in IOB1, and {begun} begins one at {begun.where} that "
            "follows none of its type, as in IOB2"
        )
    return "IOB2" if opened is None else "IOB1"


def as_iob2(tags: Sequence[Tag]) -> list[str]:
    """Return the tags of a sentence in IOB2, whichever scheme they are in."""
    converted = []
    for before, tag in zip([None, *tags], tags, strict=False):
        letter = _ENDS.get(tag.letter, tag.letter)
        if letter == "I" and not _goes_on(before, tag):
            letter = "B"
        converted.append(f"{letter}-{tag.type}" if tag.type else OUTSIDE)
    return converted


def _goes_on(before: Tag | None, tag: Tag) -> bool:
    """Return whether the word before is in an entity of the same type."""
    return before is not None and before.type == tag.type


def _those(sentences: Iterable[Iterable[Tag]], letter: str) -> Iterator[Tag]:
    return (tag for tags in sentences for tag in tags if tag.letter == letter)


def _check_ends(tags: Sequence[Tag]) -> None:
    """Check that each entity begins with B and ends with E (L), or is S (U) alone.

    Raises:
        SchemeError: one does not.
    """
    for before, tag in zip([None, *tags], [*tags, None], strict=True):
        inside = before is not None and before.letter in "BI"
        goes_on = tag is not None and tag.letter in "IEL"
        if inside and not (goes_on and tag is not None and before is not None and tag.type == before.type):
            assert before is not None
            after = f"{tag} follows" if tag is not None else "the sentence ends"
            raise SchemeError(f"{before} at {before.where} is inside of an entity, and {after}")
        if goes_on and not inside:
            assert tag is not None
            raise SchemeError(f"{tag} at {tag.where} goes on with an entity, and none has begun")
