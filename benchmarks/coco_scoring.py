"""COCO average precision as adapt computes it, relative to pycocotools.

    python -m benchmarks.coco_scoring [--images 1500] [--pairs 5] [--data ../shared/data]

Boxes and masks of 80 classes and keypoints of one, in made images (`benchmarks.random_detections`) with crowds and
objects of each size; with --data also the annotated images of `benchmarks.annotated_data`, with predictions that are
made near their objects. Both sides make their index, match, accumulate and summarize, in turn, in one thread. Prints a
JSON object for each kind: processor time over pycocotools' as median, least and greatest of the pairs, and the greatest
difference of the twelve figures (ten of keypoints) and of all precisions, recalls and scores behind them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from pathlib import Path
from typing import Any, get_args

import numpy

from benchmarks.annotated_data import SETS, annotated
from benchmarks.pairs import spread
from benchmarks.random_detections import near_detections, random_detections
from benchmarks.targets import with_targets

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit, CocoResult
from adapt_vision_mm.annotations.average_precision import CocoEvaluation, keypoint_sigmas, to_coco
from adapt_vision_mm.annotations.metric_names import Kind

FIELDS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}


def by_pycocotools(split: AnnotatedSplit, results: list[CocoResult], kind: Kind) -> Any:
    """Return pycocotools' evaluation of the same split and results."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO()
    truth.dataset = to_coco(split).dataset
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        fields = ("image_id", "category_id", "score", FIELDS[kind])
        found = truth.loadRes([{key: value for key, value in result.items() if key in fields} for result in results])
        evaluation = COCOeval(truth, found, kind)
        if kind == "keypoints":
            evaluation.params.kpt_oks_sigmas = numpy.array(keypoint_sigmas(split))
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def differences(ours: Any, theirs: Any) -> dict[str, float]:
    """Return the greatest absolute difference of figures, precisions and recalls of two evaluations."""
    count = len(theirs.stats)
    pairs = {
        "figures": (ours.stats[:count], theirs.stats),
        **{name: (ours.eval[name], theirs.eval[name]) for name in ("precision", "recall", "scores")},
    }
    return {name: float(numpy.abs(numpy.array(a) - numpy.array(b)).max()) for name, (a, b) in pairs.items()}


def compared(kind: Kind, split: AnnotatedSplit, results: list[CocoResult], pairs: int) -> dict[str, Any]:
    """Return the figures of predictions, from so many pairs of evaluations."""
    ratios = []
    for _ in range(pairs):
        begun = time.process_time()
        ours = CocoEvaluation(split, results, kind).coco
        between = time.process_time()
        theirs = by_pycocotools(split, results, kind)
        ratios.append((between - begun) / (time.process_time() - between))
    return {
        "objects": sum(len(image.annotations) for image in split.images),
        "predictions": len(results),
        "time_over_pycocotools": spread(ratios),
        "differences": differences(ours, theirs),
    }


def main() -> None:
    """Compare boxes, masks and keypoints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--data", type=Path, help="the folder of the data sets")
    given = parser.parse_args()
    for kind in get_args(Kind):
        split, results = random_detections(kind, given.images, 1 if kind == "keypoints" else 80)
        figures = compared(kind, split, results, given.pairs)
        print(json.dumps(with_targets("coco_scoring", {"kind": kind, **figures})), flush=True)
    for name in SETS if given.data else ():
        kind, splits = annotated(name, given.data)
        for part, split in splits.items():
            figures = compared(kind, split, near_detections(split, kind), given.pairs)
            told = {"set": f"{name}, {part}", "of": kind, **figures}
            print(json.dumps(with_targets("coco_scoring", told)), flush=True)


if __name__ == "__main__":
    main()
