"""Whether a group of rows (GROUP_COLUMN) stands on both sides of a split: the check of the data that is core's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from adapt_core.contracts.data_check import SHOWN, Examples, Finding, Subject


class GroupCheck:
    """Finds the groups of evaluated rows that the model has trained on."""

    def examine(self, subject: Subject) -> list[Finding] | None:
        """Return for validation and test the groups that training has too; None without GROUP_COLUMN."""
        column = subject.plan.data.group_column
        train = subject.splits.get("train")
        if column is None or train is None:
            return None
        known = set(train.groups) - {None}
        return [
            finding
            for split, examples in subject.splits.items()
            if split != "train" and (finding := _shared(subject, split, examples, known)) is not None
        ]


def _shared(subject: Subject, split: str, examples: Examples, known: set[Hashable]) -> Finding | None:
    rows = defaultdict(list)
    for position, group in enumerate(examples.groups):
        if group in known:
            rows[group].append(position)
    column, sampled = subject.plan.data.group_column, subject.sampled("train", split)
    if not rows:
        message = f"{split} has no group of {column} that training has, too{sampled}."
        return Finding(message=message, figures={"rows": 0, "groups": 0}) if sampled else None
    count = sum(map(len, rows.values()))
    return Finding(
        message=(
            f"groups of {column} that training has too: {len(rows):,}, with {count:,} of {len(examples):,} {split} "
            f"rows{sampled}. The model may know them by their group."
        ),
        warns=True,
        rows=[subject.row(split, members[0], group=str(group)) for group, members in list(rows.items())[:SHOWN]],
        figures={"rows": count, "groups": len(rows)},
    )
