"""Rows of validation and test that stand in training, exactly or nearly, and rows that training has twice."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs

from adapt_core.contracts.data_check import SHOWN, Examples, Finding, Subject

from adapt_verdict import image_twins, text_twins
from adapt_verdict.normal_form import normal_form

MOST = 20_000
"""Training rows that are compared for near duplicates, the first ones; all are compared for exact ones."""


@attrs.frozen
class Twin:
    """A row of a split that stands in training.

    Attributes:
        split, position: the row.
        train: the position of the training row.
        likeness: 1.0 of an exact twin.
    """

    split: str
    position: int
    train: int
    likeness: float = 1.0

    @property
    def is_exact(self) -> bool:
        """Whether the rows are the same up to white space and case."""
        return self.likeness == 1.0


class DuplicateCheck:
    """Finds rows of validation and test that the model has trained on."""

    def examine(self, subject: Subject) -> list[Finding] | None:
        """Return what stands in training of each other split, and what training has twice; None without rows."""
        train = subject.splits.get("train")
        if train is None or not (len(train.texts) or len(train.images)):
            return None
        keys = list(exact_keys(train))
        first: dict[Hashable, int] = {}
        for position, key in enumerate(keys):
            first.setdefault(key, position)
        findings: list[Finding] = []
        for split, examples in subject.splits.items():
            if split != "train":
                twins = list(find_twins(train, examples, split, first))
                findings += _findings(subject, twins, split)
        again = [(position, first[key]) for position, key in enumerate(keys) if first[key] != position]
        if again:
            findings.append(_within(subject, again))
        return findings


def exact_keys(examples: Examples) -> Iterator[Hashable]:
    """Yield what exact duplicates have in common: the normal forms of text and context, or the bytes of the image."""
    if len(examples.images):
        for image in examples.images:
            yield hashlib.blake2b(image.read_bytes() if isinstance(image, Path) else image, digest_size=16).digest()
        return
    contexts: Sequence[str] = examples.contexts or [""] * len(examples)
    for text, context in zip(examples.texts, contexts, strict=True):
        yield normal_form(text), hash(normal_form(context))


def find_twins(train: Examples, examples: Examples, split: str, first: dict[Hashable, int]) -> Iterator[Twin]:
    """Yield the rows of a split that stand in training: the exact ones, and the near ones among the rest.

    Args:
        train: the training examples.
        examples: those of the split.
        split: its name.
        first: exact key -> the first training row that has it.
    """
    rest = []
    for position, key in enumerate(exact_keys(examples)):
        if key in first:
            yield Twin(split, position, first[key])
        else:
            rest.append(position)
    for number, known, likeness in _near(train, examples, rest):
        # Two texts can have all pieces in common and differ; only the same normal form is exact.
        yield Twin(split, rest[number], known, min(likeness, 0.999))


def _near(train: Examples, examples: Examples, rest: Sequence[int]) -> Iterator[tuple[int, int, float]]:
    if len(train.images):
        prints = list(map(image_twins.fingerprint, train.images[:MOST]))
        yield from image_twins.near_twins(prints, [image_twins.fingerprint(examples.images[row]) for row in rest])
        return
    found = text_twins.near_twins(
        list(map(normal_form, train.texts[:MOST])), [normal_form(examples.texts[row]) for row in rest]
    )
    for number, known, likeness in found:
        if not len(train.contexts) or _same_context(train, examples, known, rest[number]):
            yield number, known, likeness


def _same_context(train: Examples, examples: Examples, known: int, position: int) -> bool:
    """Return whether two rows whose texts are alike (two questions) are asked of one context."""
    return normal_form(train.contexts[known]) == normal_form(examples.contexts[position])


def _findings(subject: Subject, twins: Sequence[Twin], split: str) -> Iterator[Finding]:
    total, train = len(subject.splits[split]), subject.splits["train"]
    for exact in (True, False):
        found = [twin for twin in twins if twin.is_exact is exact]
        if not found:
            continue
        what = "stand in training" if exact else "stand in training nearly as they are"
        other = sum(_label(subject, split, twin.position) != _label(subject, "train", twin.train) for twin in found)
        message = f"{len(found):,} of {total:,} {split} rows ({100 * len(found) / total:.1f} %) {what}"
        if not exact and len(train) > MOST:
            message += f" (compared with the first {MOST:,} of {len(train):,} training rows)"
        if other:
            message += f"; {other:,} of them have another label there"
        row = partial(_row, subject)
        yield Finding(
            message=f"{message}: metrics on them say little of new data.",
            warns=True,
            rows=[row(twin) for twin in found[:SHOWN]],
            figures={"exact" if exact else "near": len(found), "another_label": other},
        )


def _row(subject: Subject, twin: Twin) -> dict[str, object]:
    row = subject.row(twin.split, twin.position, as_in=subject.row("train", twin.train))
    return row if twin.is_exact else {**row, "likeness": round(twin.likeness, 3)}


def _label(subject: Subject, split: str, position: int) -> object:
    """Return the classes of an example as a whole; None where labels are of its words or boxes, or there are none."""
    examples = subject.splits[split]
    return tuple(examples.labels[position]) if len(examples.labels) and not len(examples.parts) else None


def _within(subject: Subject, again: Sequence[tuple[int, int]]) -> Finding:
    train = subject.splits["train"]
    other = [pair for pair in again if _label(subject, "train", pair[0]) != _label(subject, "train", pair[1])]
    message = f"{len(again):,} of {len(train):,} training rows are there before"
    if other:
        message += f", {len(other):,} of them with another label: one of the two is wrong"
    shown = list(dict.fromkeys([*other, *again]))[:SHOWN]
    return Finding(
        message=f"{message}.",
        warns=bool(other),
        rows=[subject.row("train", one, as_in=subject.row("train", first)) for one, first in shown],
        figures={"twice": len(again), "another_label": len(other)},
    )
