"""The report's section of samples: validation rows with what was expected and predicted, right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from adapt_core.evaluation import RecordedEvaluation, Sample
from adapt_core.report.html import is_picture

NOTHING = "nothing found"


@attrs.frozen
class Answer:
    """What was expected of a row, or predicted.

    Attributes:
        moment: "expected", "before" or "after".
        value: see `adapt_core.capabilities.SupportsSamples`; [word, tag, whether it is wrong] for tagged words.
        verdict: "right", "wrong", or empty where there is no such thing.
        note: what the value alone does not show: that nothing was found, or how many objects.
    """

    moment: str
    value: Any
    verdict: str = ""
    note: str = ""


@attrs.frozen
class ShownSample:
    """A validation row with its answers, the expected one first."""

    input: Any
    answers: tuple[Answer, ...]


@attrs.frozen
class SampleSection:
    """The section of samples. `grid` says whether the inputs are pictures, which stand next to one another."""

    samples: tuple[ShownSample, ...]
    grid: bool


def samples_section(evidence: Mapping[str, RecordedEvaluation]) -> SampleSection | None:
    """Return the validation rows with their answers at each moment; None where there are none.

    Args:
        evidence: what `evaluation.json` has.
    """
    moments = {name: taken["samples"] for name, taken in evidence.items() if taken["samples"]}
    first: Sequence[Sample] = next(iter(moments.values()), ())
    samples = []
    for number, sample in enumerate(first):
        answers = [Answer("expected", _with_marks(sample["expected"], sample["expected"]))]
        answers += [_predicted(name, rows[number]) for name, rows in moments.items() if number < len(rows)]
        samples.append(ShownSample(sample["input"], tuple(answers)))
    return SampleSection(tuple(samples), all(is_picture(sample.input) for sample in samples)) if samples else None


def _predicted(moment: str, sample: Sample) -> Answer:
    value, found = sample["predicted"], sample.get("found")
    right = sample.get("right")
    verdict = "" if right is None else "right" if right else "wrong"
    empty = isinstance(value, str) and not value.strip()
    note = NOTHING if empty or found == 0 else f"{found} found" if found and is_picture(value) else ""
    return Answer(moment, _with_marks(value, sample["expected"]), verdict, note)


def _with_marks(value: Any, expected: Any) -> Any:
    """Return tagged words as [word, tag, whether the tag is another than expected]; anything else as it is."""
    if not isinstance(value, list):
        return value
    truth = expected if isinstance(expected, list) and len(expected) == len(value) else value
    return [[word, tag, tag != wanted] for (word, tag), (_, wanted) in zip(value, truth, strict=True)]
