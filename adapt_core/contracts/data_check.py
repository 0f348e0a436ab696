"""A check of the data before training: it sees the examples of each split, and says what a reader must know of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from adapt_core.config.plan import Plan

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

SHOWN = 20
"""Rows that a finding names at most; its message has their number."""

_EXCERPT = 100


class Features(Protocol):
    """What a frozen model makes of examples. An example is computed once, however many checks ask.

    Attributes:
        seconds_each: wall time that an example took so far; None before the first.
    """

    seconds_each: float | None

    def __call__(self, split: str, positions: Sequence[int]) -> NDArray[numpy.float32]:
        """Return an array (examples, width) of examples by their positions in a split."""


@attrs.frozen(kw_only=True)
class Examples:
    """The examples of one split, column by column: what a task learns from, before it becomes inputs of a model.

    A column is empty where the task has none; all others have as many values as there are examples.

    Attributes:
        texts: the input; of several texts the first (the question of a context).
        contexts: what other examples may share with it (the context of a question).
        targets: texts that are to be produced.
        images: the image of each: a file, or its encoded bytes.
        labels: names of the classes of each: one, several (`problem: multi_label`), or one for each part.
        parts: what the labels name where an example has parts: words, or boxes [x, y, width, height] in pixels.
        groups: the values of GROUP_COLUMN.
        numbers: the row of each, from 1, in the split that it was read from (`read_from`); empty where it is not known.
        read_from: the split that the rows are numbered in: "train" for a validation split that was held out.
        total: the examples of the split, where these are a sample of them.
    """

    texts: Sequence[str] = ()
    contexts: Sequence[str] = ()
    targets: Sequence[str] = ()
    images: Sequence[Path | bytes] = ()
    labels: Sequence[Sequence[str]] = ()
    parts: Sequence[Sequence[Any]] = ()
    groups: Sequence[Hashable] = ()
    numbers: Sequence[int] = ()
    read_from: str | None = None
    total: int | None = None

    def __len__(self) -> int:
        return max(map(len, (self.texts, self.images, self.labels, self.parts, self.groups)))

    @property
    def has_one_label(self) -> bool:
        """Whether each example as a whole has exactly one class."""
        return len(self.labels) > 0 and not len(self.parts) and all(len(names) == 1 for names in self.labels)


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that a check found.

    Attributes:
        message: a sentence that says it, with its numbers.
        warns: whether it puts the metrics of a run in doubt. It is then a warning of the run, too.
        rows: at most `SHOWN` rows that it is about, as `Subject.row` names them, with what else there is to say.
        figures: numbers by name.
        to_beat: metrics of the validation split, by the names of the task's, that a plain baseline reaches. A run that
            ends below the best of them says so.
    """

    message: str
    warns: bool = False
    rows: Sequence[Mapping[str, Any]] = ()
    figures: Mapping[str, float] = attrs.field(factory=dict)
    to_beat: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Subject:
    """The data of a run, as its checks see it.

    Attributes:
        plan: of the run; a check takes its seed from `plan.training.seed`.
        splits: "train", "validation", "test", those that the run has, each with its examples.
        metrics: the task's, each with whether "higher" or "lower" is better.
        seconds: what is left of VERDICT_SECONDS. A check that cannot keep to it looks at a sample, and says so.
        features: what a frozen model makes of examples, where the task can compute that; else None.
    """

    plan: Plan
    splits: Mapping[str, Examples]
    metrics: Mapping[str, str] = attrs.field(factory=dict)
    seconds: float = 60.0
    features: Features | None = None

    def sampled(self, *splits: str) -> str:
        """Return a word on those of the splits that are samples, to be put behind a statement; empty where none is."""
        told = [
            f"{len(examples):,} of {examples.total:,} {split} rows"
            for split, examples in self.splits.items()
            if split in splits and examples.total is not None
        ]
        return f" (in a sample: {' and '.join(told)})" if told else ""

    def row(self, split: str, position: int, **more: Any) -> dict[str, Any]:
        """Return how a finding names an example, JSON-ready: split, row from 1, an excerpt, and what else is given.

        Args:
            split: of `splits`.
            position: from 0, among the examples of the split.
            more: further facts (`label="ham"`).
        """
        examples = self.splits[split]
        named: dict[str, Any] = {"split": split}
        if len(examples.numbers):
            named["row"] = int(examples.numbers[position])
            if examples.read_from not in (None, split):
                named["read_from"] = examples.read_from
        else:
            named["example"] = position + 1
        if len(examples.images):
            image = examples.images[position]
            if isinstance(image, Path):
                named["image"] = str(image)
        elif len(examples.texts):
            text = " ".join(examples.texts[position].split())
            named["text"] = text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 3]}..."
        return {**named, **more}


class DataCheck(Protocol):
    """One check of the data. Constructed without arguments, once in a run."""

    def examine(self, subject: Subject) -> Iterable[Finding] | None:
        """Return what was found, nothing where all is well, or None where the data has nothing to check.

        Whatever it raises is reported once and stops nothing; a `CheckSkipped` says why it was left out.
        """


class CheckSkipped(Exception):  # noqa: N818 - not an error: a check that is left out, and why
    """A check that is left out; the text says why."""


def worse_than_baseline(after: Mapping[str, float], to_beat: Mapping[str, float], directions: Mapping[str, str]) -> str:
    """Return the first metric in which a run ends below a baseline, or an empty text.

    Args:
        after: metrics of the trained model on validation, with or without "eval_" before their names.
        to_beat: those of the baseline.
        directions: metric -> "higher" or "lower".
    """
    for name, value in to_beat.items():
        reached = after.get(name)
        if reached is not None and (reached < value if directions.get(name) != "lower" else reached > value):
            return name
    return ""
