"""The runs behind docs/results.md."""

from benchmarks.results.cases.case import Case
from benchmarks.results.cases.language import LANGUAGE_CASES
from benchmarks.results.cases.methods import METHOD_CASES
from benchmarks.results.cases.vision import VISION_CASES

CASES: list[Case] = [*LANGUAGE_CASES, *METHOD_CASES, *VISION_CASES]

__all__ = ["CASES", "Case"]
