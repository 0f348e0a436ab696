"""Classes with few rows, or with none in training or in validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from adapt_core.contracts.data_check import SHOWN, Examples, Finding, Subject
from adapt_core.errors import first_of

FEW = 10
"""A class with fewer training examples (rows, words, objects) is rare."""


class ClassCheck:
    """Counts the examples of each class in each split."""

    def examine(self, subject: Subject) -> list[Finding] | None:
        """Return rare classes, and those that only one of two splits has; None where the rows have no classes."""
        train = subject.splits.get("train")
        if train is None or not len(train.labels):
            return None
        counts = count_classes(train)
        rare = sorted((count, name) for name, count in counts.items() if count < FEW)
        findings = []
        sampled = subject.sampled("train")
        if rare:
            listed = first_of([f"{name} ({count})" for count, name in rare])
            findings.append(
                Finding(
                    message=(
                        f"{len(rare)} of {len(counts)} classes have fewer than {FEW} training examples{sampled}: "
                        f"{listed}."
                    ),
                    warns=not sampled,
                    figures={"rare": len(rare)},
                )
            )
        for split, examples in subject.splits.items():
            if split == "train" or not len(examples.labels):
                continue
            own = count_classes(examples)
            findings += _only_in(subject, split, examples, sorted(set(own) - set(counts)))
            absent = sorted(set(counts) - set(own))
            if absent:
                message = f"{split} has no example of {len(absent)} of {len(counts)} classes"
                message += f"{subject.sampled(split)}: {first_of(absent)}."
                findings.append(Finding(message=message, figures={"absent": len(absent)}))
        return findings


def count_classes(examples: Examples) -> Counter[str]:
    """Count the examples of each class: rows, words or objects."""
    return Counter(name for names in examples.labels for name in names)


def _only_in(subject: Subject, split: str, examples: Examples, names: Sequence[str]) -> list[Finding]:
    """Return the finding of classes that training lacks: no metric of theirs can be above zero.

    What a sample of training lacks, the rest of it may have.
    """
    if not names:
        return []
    sampled = subject.sampled("train")
    what = "No model can learn them." if not sampled else "The rest of training may have them."
    rows = [position for position, own in enumerate(examples.labels) if set(own) & set(names)]
    return [
        Finding(
            message=f"only {split} has {len(names)} classes{sampled}: {first_of(list(names))}. {what}",
            warns=not sampled,
            rows=[subject.row(split, position) for position in rows[:SHOWN]],
            figures={"only_there": len(names)},
        )
    ]
