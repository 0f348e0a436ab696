"""A tracker: it takes the figures of a run as they are logged, and keeps them where its users look."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs


@attrs.frozen(kw_only=True)
class TrackedRun:
    """What a tracker is told of a run when it starts.

    Attributes:
        project: TRACKER_PROJECT; letters, digits, space and `_.-` only.
        name: TRACKER_RUN, or the name of the run folder; of the same characters.
        folder: absolute; it exists, and what the tracker writes belongs there: `trackers/NAME/` of the run folder.
        config: every resolved key of the run that has a value: texts, numbers, booleans; other values as JSON.
        resumed: whether the run continues an earlier one in its folder.
        earlier: what `Tracker.start` returned when that one started; None where there is none, or it returned None.
        step: optimizer steps done, those of the first figures that follow.
    """

    project: str
    name: str
    folder: Path
    config: Mapping[str, Any]
    resumed: bool
    earlier: str | None
    step: int


class Tracker(Protocol):
    """Takes the figures of one run, on rank 0 alone. Constructed without arguments, once in a run.

    Whatever it raises is reported once and stops nothing; it is then left out, and only its `finish` is still called.
    """

    def start(self, run: TrackedRun) -> str | None:
        """Start a run of the tracker's, or continue the one named `run.earlier`.

        Called right before the first figures. Random states that it changes are restored.

        Returns:
            by what the tracker knows its run, to continue it when the training is resumed; None if it cannot.
        """

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Take figures: "train/loss", "eval/accuracy", ... ("eval" before, while and after training), "test/...".

        Args:
            figures: may be NaN or infinite.
            step: optimizer steps done; not less than in the call before.
        """

    def finish(self) -> None:
        """Write what is left and end the tracker's run: training is over, was interrupted, or has failed."""
