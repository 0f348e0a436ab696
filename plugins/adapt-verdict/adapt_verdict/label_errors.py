"""Labels that are probably wrong, by confident learning.

C. Northcutt, L. Jiang, I. Chuang: Confident learning: estimating uncertainty in dataset labels. JAIR 70, 2021; by
cleanlab, on probabilities of a logistic regression that has not seen the row.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from adapt_core.contracts.data_check import SHOWN, CheckSkipped, Finding, Subject

from adapt_verdict.classifier import FOLDS, Judged, judge_out_of_fold
from adapt_verdict.features import Labelled, labelled


@attrs.frozen
class Suspect:
    """A label that is probably wrong.

    Attributes:
        split, position: the row; part: the number of its word or box, None where the label is of the whole row.
        label: the given one; better: the one that the classifier gives.
        confidence: the probability of the given label.
    """

    split: str
    position: int
    part: int | None
    label: str
    better: str
    confidence: float


class LabelErrorCheck:
    """Finds labels that a classifier, fitted on other rows, is confident are wrong."""

    def examine(self, subject: Subject) -> list[Finding] | None:
        """Return the suspects of training and validation, the surest first; None where no row has one class."""
        examples = labelled(subject, [split for split in ("train", "validation") if split in subject.splits])
        if examples is None:
            return None
        judged = judge_out_of_fold(examples, subject.plan.training.seed)
        if judged is None:
            raise CheckSkipped(f"fewer than two classes have {FOLDS} examples in groups enough to judge one by others")
        found = list(suspects(examples, judged))
        if not found:
            return []
        what = "labels" if examples.places[0][2] is None else "labels of words or boxes"
        return [
            Finding(
                message=(
                    f"{len(found):,} of {len(judged.rows):,} {what} are probably wrong "
                    f"({100 * len(found) / len(judged.rows):.1f} %, by {examples.described}){examples.extent}. "
                    "Look at them first."
                ),
                rows=[
                    subject.row(
                        one.split,
                        one.position,
                        **({} if one.part is None else {"part": one.part + 1}),
                        label=one.label,
                        probably=one.better,
                        confidence=round(one.confidence, 3),
                    )
                    for one in found[:SHOWN]
                ],
                figures={"suspects": len(found), "looked_at": len(judged.rows)},
            )
        ]


def suspects(examples: Labelled, judged: Judged) -> Iterator[Suspect]:
    """Yield the labels that are probably wrong, the least probable first."""
    from cleanlab.filter import find_label_issues

    ranked = find_label_issues(
        judged.labels,
        judged.probabilities,
        filter_by="both",  # what prune_by_class and prune_by_noise_rate agree on
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    for row in ranked:
        probabilities = judged.probabilities[row]
        label, better = int(judged.labels[row]), int(probabilities.argmax())
        if label != better:
            split, position, part = examples.places[int(judged.rows[row])]
            names = judged.names
            yield Suspect(split, position, part, names[label], names[better], float(probabilities[label]))
