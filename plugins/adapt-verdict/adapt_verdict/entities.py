"""Entities in sequences of tags, scored as seqeval does by default: an entity counts with its class and both ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def entities(tags: Sequence[str], start: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yield (class, first word, word behind the last) of each entity of one sentence's tags (B-, I-, O).

    An I- that does not go on with the entity before it begins one.

    Args:
        tags: of the words of a sentence.
        start: the number of its first word.
    """
    begun: tuple[str, int] | None = None
    for number, tag in enumerate([*tags, "O"], start=start):
        prefix, _, name = tag.partition("-")
        goes_on = begun is not None and prefix == "I" and name == begun[0]
        if begun is not None and not goes_on:
            yield begun[0], begun[1], number
            begun = None
        if begun is None and prefix in ("B", "I") and name:
            begun = (name, number)


def entity_scores(truth: Sequence[str], found: Sequence[str], ends: Sequence[int]) -> dict[str, float]:
    """Return f1, precision and recall of entities.

    Args:
        truth: the tags of all sentences, one after the other.
        found: predicted tags of the same words.
        ends: after how many words each sentence ends.
    """
    sides: list[set[tuple[str, int, int]]] = []
    for tags in (truth, found):
        starts = [0, *ends[:-1]]
        sides.append({one for start, end in zip(starts, ends, strict=True) for one in entities(tags[start:end], start)})
    right = len(sides[0] & sides[1])
    precision = right / len(sides[1]) if sides[1] else 0.0
    recall = right / len(sides[0]) if sides[0] else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"f1": f1, "precision": precision, "recall": recall}
