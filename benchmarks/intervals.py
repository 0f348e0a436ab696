"""How often a run's 95 % intervals hold the truth, in simulated evaluations.

    python -m benchmarks.intervals [--sets 1000] [--only accuracy ...]

Each set is drawn from a population whose value of the metric is known, from a set so large that it no longer moves.
Rows are drawn as they come in practice: classes are unbalanced, documents and images hold several things that are
right or wrong together. Prints a JSON object for each metric: rows of a set, the truth, the share of
sets whose interval holds it, and the intervals' mean width. Sets, draws and intervals follow seeds: a second call
prints the same.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy

from adapt_core.evaluated_rows import EvaluatedRows, sums
from adapt_core.hf.loop.per_class import macro_f1
from adapt_core.uncertainty.intervals import intervals

from adapt_nlp.metrics.row_scores import Means
from adapt_nlp.token_classification.metrics import counted_scores
from adapt_vision_mm.annotations.annotated_split import AnnotatedImage, AnnotatedSplit, Category
from adapt_vision_mm.annotations.average_precision import CocoEvaluation
from adapt_vision_mm.annotations.image_rows import image_rows

Chance: TypeAlias = numpy.random.Generator
Measure: TypeAlias = Callable[[Any], Mapping[str, float]]

PRIOR = numpy.array([0.4, 0.25, 0.2, 0.1, 0.05])
RIGHT = 0.8
LARGE = 2_000_000


def classes(chance: Chance, rows: int) -> EvaluatedRows:
    """Five classes, right in 80 % of the rows, guessed by their frequency otherwise."""
    truth = chance.choice(len(PRIOR), rows, p=PRIOR)
    found = numpy.where(chance.random(rows) < RIGHT, truth, chance.choice(len(PRIOR), rows, p=PRIOR))

    def measure(sample: Any) -> Mapping[str, float]:
        return {
            "accuracy": float((truth[sample] == found[sample]).mean()),
            "macro_f1": macro_f1(truth[sample], found[sample]),
        }

    return _rows(rows, measure)


def documents(chance: Chance, rows: int) -> EvaluatedRows:
    """Documents with none to many entities, of which a share is found that is the document's own."""
    true = chance.poisson(chance.gamma(2, 1.5, rows))
    both = chance.binomial(true, chance.beta(6, 2, rows))
    found = both + chance.poisson(0.15 * true + 0.2)
    table = numpy.stack([true, found, both, true, true], axis=1)

    def measure(sample: Any) -> Mapping[str, float]:
        counts = [int(total) for total in sums(table, sample)]
        return counted_scores(counts[0], counts[1], counts[2], counts[3], max(1, counts[4]))

    return _rows(rows, measure)


def texts(chance: Chance, rows: int) -> EvaluatedRows:
    """Texts whose ROUGE-L is 0 for a tenth of them, and spread wide for the others."""
    values = chance.beta(2, 3, rows) * (chance.random(rows) > 0.1)
    return _rows(rows, Means({"rougeL": values}).measure)


def images(chance: Chance, rows: int) -> EvaluatedRows:
    """Images with none to six objects; what is found of one, and how exactly, differs from image to image."""
    found: list[AnnotatedImage] = []
    results: list[Any] = []
    for number in range(rows):
        annotations: list[Any] = []
        ease = chance.beta(4, 2)
        for place in range(chance.integers(0, 7)):
            box = [100.0 * place, 10.0, 60.0, 60.0]
            known = {"image_id": number, "category_id": 1}
            annotations.append({**known, "id": 0, "bbox": box, "area": 3600.0, "iscrowd": 0})
            if chance.random() < ease:
                off = float(chance.exponential(4.0))
                results.append({**known, "bbox": [box[0] + off, *box[1:]], "score": float(chance.beta(4, 2))})
            if chance.random() < 0.15:
                results.append({**known, "bbox": [box[0], 200.0, 60.0, 60.0], "score": float(chance.beta(2, 4))})
        found.append(AnnotatedImage(id=number, path=Path("a"), width=700, height=300, annotations=tuple(annotations)))
    split = AnnotatedSplit(source="", images=tuple(found), categories=(Category(id=1, name="thing"),))
    return image_rows(CocoEvaluation(split, results, "bbox"), {})


CASES: dict[str, tuple[Callable[[Chance, int], EvaluatedRows], str, int, int]] = {
    "accuracy": (classes, "accuracy", 138, LARGE),
    "macro F1": (classes, "macro_f1", 138, LARGE),
    "entity F1": (documents, "f1", 138, LARGE),
    "ROUGE-L": (texts, "rougeL", 138, LARGE),
    "AP": (images, "mAP", 100, 20_000),
}
"""Metric -> how its rows come, its name, the rows of a set, and those of the set that gives the truth."""


_POPULATION, _SETS = 1, 2
"""Seeds of streams that are apart from one another and from that of an interval's draws."""


def _rows(rows: int, measure: Measure) -> EvaluatedRows:
    nothing = [None] * rows
    return EvaluatedRows(kind="numbers", rows=range(rows), expected=nothing, predicted=nothing, measure=measure)


def coverage(case: str, sets: int) -> dict[str, Any]:
    """Return how often the intervals of a case hold its truth.

    Args:
        case: of CASES.
        sets: how many are drawn.
    """
    make, metric, rows, large = CASES[case]
    truth = make(numpy.random.default_rng([_POPULATION, 0]), large).measure(numpy.arange(large))[metric]
    held, width = 0, 0.0
    for seed in range(sets):
        low, high = intervals(make(numpy.random.default_rng([_SETS, seed]), rows), seed)[metric]
        held += low <= truth <= high
        width += high - low
    return {
        "metric": case,
        "rows": rows,
        "sets": sets,
        "truth": round(truth, 4),
        "held": held / sets,
        "width": round(width / sets, 4),
    }


def main() -> None:
    """Print the coverage of each metric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    given = parser.parse_args()
    for case in given.only:
        print(json.dumps(coverage(case, given.sets)), flush=True)


if __name__ == "__main__":
    main()
