"""Rows of validation and test that stand in training, exactly or nearly, and rows that training has twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs
import numpy

from adapt_core.contracts.data_check import SHOWN, Examples, Finding, Subject
from adapt_core.evaluation import spread

from adapt_verdict.image_twins import ImageTwins, fingerprint
from adapt_verdict.normal_form import normal_form
from adapt_verdict.text_twins import TextTwins, sketch

MOST = 20_000
"""Rows of a split that are compared for near duplicates, evenly spaced; all are compared for exact ones."""

SHARE = 0.5
"""Of the time that is left, for near duplicates; half of it for training, the rest for the other splits."""

T = TypeVar("T")


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
        first: dict[bytes, int] = {}
        for position, key in enumerate(keys):
            first.setdefault(key, position)
        others = [split for split in subject.splits if split != "train"]
        findings: list[Finding] = []
        nearly = NearTwins(train, subject.seconds * SHARE / 2) if others else None
        for split in others:
            twins, rest = exact_twins(subject.splits[split], split, first)
            findings += _findings(subject, twins, split)
            if nearly is not None and rest:
                near, count = nearly.find(subject.splits[split], split, rest, subject.seconds * SHARE / 2 / len(others))
                findings += _findings(subject, near, split, _extent(subject, split, nearly, count, len(rest)))
        again = [(position, first[key]) for position, key in enumerate(keys) if first[key] != position]
        if again:
            findings.append(_within(subject, again))
        return findings


def exact_keys(examples: Examples) -> Iterator[bytes]:
    """Yield what exact duplicates have in common: a hash of the normal forms of text and context, or of the image."""
    if len(examples.images):
        for image in examples.images:
            yield _digest(image.read_bytes() if isinstance(image, Path) else image)
        return
    contexts: Sequence[str] = examples.contexts or [""] * len(examples)
    for text, context in zip(examples.texts, contexts, strict=True):
        yield _digest("\n".join(map(normal_form, (text, context))).encode(errors="surrogatepass"))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def exact_twins(examples: Examples, split: str, first: dict[bytes, int]) -> tuple[list[Twin], list[int]]:
    """Return the rows of a split that stand in training as they are, and the positions of the rest.

    Args:
        examples: those of the split.
        split: its name.
        first: exact key -> the first training row that has it.
    """
    twins, rest = [], []
    for position, key in enumerate(exact_keys(examples)):
        if key in first:
            twins.append(Twin(split, position, first[key]))
        else:
            rest.append(position)
    return twins, rest


class NearTwins:
    """Training rows among which rows that are nearly the same are found."""

    def __init__(self, train: Examples, seconds: float) -> None:
        """Take at most `MOST` training rows, as many as there is time for.

        Args:
            train: the training examples.
            seconds: wall time.
        """
        self._train = train
        order = _spread_order(range(len(train)))
        self._twins: ImageTwins | TextTwins
        if len(train.images):
            self._rows, prints = _in_time(lambda row: fingerprint(train.images[row]), order, seconds)
            self._twins = ImageTwins(prints)
        else:
            self._rows, sketches = _in_time(lambda row: sketch(normal_form(train.texts[row])), order, seconds)
            self._twins = TextTwins(sketches)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, examples: Examples, split: str, rest: Sequence[int], seconds: float) -> tuple[list[Twin], int]:
        """Return rows that stand in training nearly as they are, by position, and how many were looked at.

        Args:
            examples: those of the split.
            split: its name.
            rest: positions of its rows that do not stand there exactly; at most `MOST` of them are looked at.
            seconds: wall time.
        """
        looked_at, found = _in_time(lambda row: self._nearest(examples, row), _spread_order(rest), seconds)
        twins = []
        for row, nearest in zip(looked_at, found, strict=True):
            if nearest is None:
                continue
            known = self._rows[nearest[0]]
            if not len(self._train.contexts) or _same_context(self._train, examples, known, row):
                # Two texts can have all pieces in common and differ; only the same normal form is exact.
                twins.append(Twin(split, row, known, min(nearest[1], 0.999)))
        return sorted(twins, key=lambda twin: twin.position), len(looked_at)

    def _nearest(self, examples: Examples, row: int) -> tuple[int, float] | None:
        if isinstance(self._twins, ImageTwins):
            return self._twins.nearest(fingerprint(examples.images[row])) if len(examples.images) else None
        return self._twins.nearest(sketch(normal_form(examples.texts[row]))) if len(examples.texts) else None


def _spread_order(positions: Sequence[int]) -> list[int]:
    """Return at most `MOST` positions, evenly spaced, in an order whose beginning is a sample of them, too."""
    chosen = [positions[number] for number in spread(len(positions), MOST)]
    return [chosen[number] for number in numpy.random.default_rng(0).permutation(len(chosen))]


def _in_time(make: Callable[[int], T], order: Sequence[int], seconds: float) -> tuple[list[int], list[T]]:
    """Return the first positions of an order, as many as there is time for but one at least, and what each becomes."""
    end = time.monotonic() + seconds
    made: list[T] = []
    for row in order:
        made.append(make(row))
        if time.monotonic() > end:
            break
    return list(order[: len(made)]), made


def _same_context(train: Examples, examples: Examples, known: int, position: int) -> bool:
    """Return whether two rows whose texts are alike (two questions) are asked of one context."""
    return normal_form(train.contexts[known]) == normal_form(examples.contexts[position])


@attrs.frozen
class Extent:
    """How far near duplicates were looked for.

    Attributes:
        rows: of the split, among which they were looked for.
        told: a word on it; empty where all rows were compared.
    """

    rows: int
    told: str


def _extent(subject: Subject, split: str, nearly: NearTwins, count: int, rest: int) -> Extent:
    total, train = len(subject.splits[split]), len(subject.splits["train"])
    if count == rest and len(nearly) == train:
        return Extent(total, "")
    told = f"{count:,} of {rest:,} {split} rows were compared with {len(nearly):,} of {train:,} training rows"
    return Extent(total if count == rest else count, told)


def _findings(subject: Subject, twins: Sequence[Twin], split: str, extent: Extent | None = None) -> Iterator[Finding]:
    """Yield the finding of exact or, with their extent, near duplicates."""
    if not twins:
        if extent is not None and extent.told:
            yield Finding(message=f"no near duplicates were found; {extent.told}.", figures={"near": 0})
        return
    total = extent.rows if extent is not None else len(subject.splits[split])
    what = "stand in training" if extent is None else "stand in training nearly as they are"
    other = sum(_label(subject, split, twin.position) != _label(subject, "train", twin.train) for twin in twins)
    message = f"{len(twins):,} of {total:,} {split} rows ({100 * len(twins) / total:.1f} %) {what}"
    message += subject.sampled("train", split)
    if extent is not None and extent.told:
        message += f" ({extent.told})"
    if other:
        message += f"; {other:,} of them have another label there"
    row = partial(_row, subject)
    yield Finding(
        message=f"{message}: metrics on them say little of new data.",
        warns=True,
        rows=[row(twin) for twin in twins[:SHOWN]],
        figures={"exact" if extent is None else "near": len(twins), "another_label": other},
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
    message = f"{len(again):,} of {len(train):,} training rows are there before{subject.sampled('train')}"
    if other:
        message += f", {len(other):,} of them with another label: one of the two is wrong"
    shown = list(dict.fromkeys([*other, *again]))[:SHOWN]
    return Finding(
        message=f"{message}.",
        warns=bool(other),
        rows=[subject.row("train", one, as_in=subject.row("train", first)) for one, first in shown],
        figures={"twice": len(again), "another_label": len(other)},
    )
