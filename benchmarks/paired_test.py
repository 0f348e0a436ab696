"""Whether the verdict of a paired test is that of twenty repeated runs.

    python -m benchmarks.paired_test [--data ../shared/data/ag_news] [--pairs 20] [--repeats 20] [--seed 0]

Pairs of classifiers (logistic regression on word counts by stochastic gradient descent, with other numbers of
training rows and of words: cheap enough to train a thousand times) are trained, and validated on 400 rows. The
verdict of a pair is that of `adapt compare` after the first run: that they differ where p is below 0.05. The repeated
runs are trained on the same rows with other seeds and validated on other rows, and say that the two differ where the
same one is ahead in nineteen of twenty of them (95 %). Prints a JSON object for each pair, and how many verdicts
agree.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy

from adapt_core.uncertainty.kept_rows import KeptRows
from adapt_core.uncertainty.paired import LEVEL, paired_tests

Matrix: TypeAlias = Any

VALIDATION = 400
_RATE = 0.1
SIZES = (40, 80, 150, 300, 600, 1200)
"""Training rows of a classifier."""

WORDS = (30, 100, 400, 2000)
"""Words that it counts, the most frequent ones."""


class Settings(NamedTuple):
    """What a classifier is trained on."""

    rows: int
    words: int


class Labelled(NamedTuple):
    """Texts as word counts (rows, words), the most frequent words first, and the class of each."""

    counts: Matrix
    classes: Matrix


def read(folder: Path) -> Labelled:
    """Return the rows of a data set in csv files, training and validation together."""
    rows: list[dict[str, str]] = []
    for name in ("train.csv", "validation.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    texts = [re.findall(r"\w+", row["text"].lower()) for row in rows]
    frequent = Counter(word for text in texts for word in text).most_common(max(WORDS))
    number_of = {word: number for number, (word, _) in enumerate(frequent)}
    counts = numpy.zeros((len(texts), len(number_of)), dtype=numpy.float32)
    for row, text in enumerate(texts):
        for word in text:
            if word in number_of:
                counts[row, number_of[word]] += 1
    _, classes = numpy.unique([row["label"] for row in rows], return_inverse=True)
    return Labelled(counts, classes)


def trained(data: Labelled, settings: Settings, training: Matrix, seed: int) -> Matrix:
    """Return the weights (words, classes) of a classifier: three passes, in an order and from a start of the seed."""
    chance = numpy.random.default_rng(seed)
    features = data.counts[training[: settings.rows], : settings.words]
    wanted = numpy.eye(data.classes.max() + 1, dtype=numpy.float32)[data.classes[training[: settings.rows]]]
    weights = chance.normal(0, 0.1, (features.shape[1], wanted.shape[1])).astype(numpy.float32)
    for _ in range(3):
        for rows in numpy.array_split(chance.permutation(len(features)), max(1, len(features) // 8)):
            weights -= _RATE * features[rows].T @ (_shares(features[rows] @ weights) - wanted[rows]) / len(rows)
    return weights


def _shares(scores: Matrix) -> Matrix:
    raised = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def kept(truth: Matrix, found: Matrix) -> KeptRows:
    """Return predictions as a run folder keeps them."""
    return KeptRows(
        kind="class",
        ids=[f"{number:06d}" for number in range(len(truth))],
        columns={"expected": truth.tolist(), "predicted": found.tolist()},
        ratios={"accuracy": ((truth == found).astype(float), numpy.ones(len(truth)))},
    )


def one_pair(data: Labelled, pair: tuple[Settings, Settings], repeats: int, seed: int) -> dict[str, Any]:
    """Return the verdict of a pair and that of its repeated runs."""
    shuffled = numpy.random.default_rng(seed).permutation(len(data.classes))
    training, others = numpy.split(shuffled, [max(SIZES)])
    ahead, test = [], None
    for run in range(repeats + 1):
        # With replacement: draws of a small pool without it would have most of their rows in common.
        validation = numpy.random.default_rng([seed, run]).choice(others, VALIDATION)
        truth = data.classes[validation]
        found = [
            (data.counts[validation, : one.words] @ trained(data, one, training, 2 * run + number)).argmax(axis=1)
            for number, one in enumerate(pair)
        ]
        if test is None:
            test = paired_tests(*(kept(truth, each) for each in found))["accuracy"]
            continue
        right = [float((each == truth).mean()) for each in found]
        ahead.append((right[1] > right[0]) - (right[1] < right[0]))
    assert test is not None
    most = max(ahead.count(1), ahead.count(-1))
    verdict, repeated = bool(test.p < LEVEL), most >= 0.95 * repeats
    return {
        "pair": [list(one) for one in pair],
        "difference": round(test.difference, 4),
        "p": round(test.p, 4),
        "ahead": most,
        "agree": verdict == repeated,
    }


def main() -> None:
    """Print each pair, and how many verdicts agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "ag_news")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    data = read(given.data)
    chance = numpy.random.default_rng(given.seed)
    every = [Settings(rows, words) for rows in SIZES for words in WORDS]
    agreed = 0
    for number in range(given.pairs):
        first, second = chance.choice(len(every), 2, replace=False)
        found = one_pair(data, (every[first], every[second]), given.repeats, 1000 * given.seed + number)
        agreed += found["agree"]
        print(json.dumps(found), flush=True)
    print(json.dumps({"agree": agreed, "pairs": given.pairs}))


if __name__ == "__main__":
    main()
