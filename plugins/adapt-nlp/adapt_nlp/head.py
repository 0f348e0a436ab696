"""The classification head that a task asks of a Hugging Face model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def head_options(labels: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for a head with one logit for each label.

    A head of another size in the checkpoint is replaced by a new one.
    """
    names = dict(enumerate(labels))
    return {
        "num_labels": len(names),
        "id2label": names,
        "label2id": {name: number for number, name in names.items()},
        "ignore_mismatched_sizes": True,
    }
