"""Lengths, languages and classes at odds between training and the other splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import numpy

from adapt_core.contracts.data_check import Examples, Finding, Subject
from adapt_core.evaluation import spread

from adapt_verdict.classes import count_classes
from adapt_verdict.languages import language_shares

MOST = 5_000
"""Rows of each split that are measured, evenly spaced; for languages `MOST_READ`."""

MOST_READ = 1_000

FEWEST = 30
"""Rows that a split must have: of fewer any difference is chance."""

APART = 0.2
"""The least distance of two distributions that is reported: of lengths by Kolmogorov and Smirnov's statistic (the
greatest difference of the shares below a length), of languages and classes by half the sum of differences of shares."""


class ShiftCheck:
    """Compares the splits with training."""

    def examine(self, subject: Subject) -> list[Finding] | None:
        """Return in what a split differs from training; None where there is none with rows enough."""
        train = subject.splits.get("train")
        others = {split: rows for split, rows in subject.splits.items() if split != "train" and len(rows) >= FEWEST}
        if train is None or len(train) < FEWEST or not others:
            return None
        return [finding for split, rows in others.items() for finding in _differences(train, rows, split)]


def _differences(train: Examples, other: Examples, split: str) -> Iterator[Finding]:
    for name, here, there in (("texts", train.texts, other.texts), ("targets", train.targets, other.targets)):
        if not (len(here) and len(there)):
            continue
        lengths = [_lengths(texts) for texts in (here, there)]
        distance = kolmogorov_smirnov(*lengths)
        if distance > APART and min(map(len, lengths)) >= FEWEST:
            yield Finding(
                message=(
                    f"lengths: {name} of {split} have {median(lengths[1]):g} words in the middle, those of training "
                    f"{median(lengths[0]):g} (distance {distance:.2f})."
                ),
                warns=True,
                figures={"distance": round(distance, 4)},
            )
        shares = [language_shares([texts[row] for row in spread(len(texts), MOST_READ)]) for texts in (here, there)]
        yield from _shares_apart(f"languages of {name}", shares[0], shares[1], split)
    if len(train.labels) and len(other.labels):
        counts = [count_classes(one) for one in (train, other)]
        parts = [{name: number / max(one.total(), 1) for name, number in one.items()} for one in counts]
        yield from _shares_apart("classes", parts[0], parts[1], split)


def _lengths(texts: Sequence[str]) -> list[int]:
    return [len(texts[row].split()) for row in spread(len(texts), MOST)]


def kolmogorov_smirnov(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the greatest difference of the empirical distribution functions of two samples, from 0 to 1."""
    values = numpy.sort(numpy.asarray([*one, *other]))
    parts = [numpy.searchsorted(numpy.sort(sample), values, side="right") / len(sample) for sample in (one, other)]
    return float(numpy.abs(parts[0] - parts[1]).max())


def _shares_apart(what: str, train: Mapping[str, float], other: Mapping[str, float], split: str) -> Iterator[Finding]:
    """Yield the finding of two distributions of names that are apart."""
    names = sorted({*train, *other}, key=lambda name: (-abs(train.get(name, 0) - other.get(name, 0)), name))
    distance = sum(abs(train.get(name, 0) - other.get(name, 0)) for name in names) / 2
    if distance <= APART or not train or not other:
        return
    told = ", ".join(
        f"{name} {100 * other.get(name, 0):.0f} % ({100 * train.get(name, 0):.0f} %)" for name in names[:4]
    )
    yield Finding(
        message=f"{what}: {split} and training are apart (distance {distance:.2f}): {told} in {split} (in training).",
        warns=True,
        figures={"distance": round(distance, 4)},
    )
