"""The keys of a search."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class TuneParams:
    """What `adapt tune` reads of a config; `adapt run` leaves it unread."""

    tune: dict[str, object] | None = param(
        None,
        "What adapt tune searches: key -> {range: [LOW, HIGH], log: true}, or a list of choices (default: learning "
        "rate, epochs, batch size, rank, and the method where the config names none).",
        key="TUNE",
    )
    tune_trials: int = param(27, "At most this many settings are tried.", key="TUNE_TRIALS", ge=1)
    tune_at_once: int = param(
        1,
        "So many trials of a rung run side by side, each in one process, where the launcher can do so (launcher: ray: "
        "on Ray Tune). Batches of the final run's several processes are accumulated.",
        key="TUNE_AT_ONCE",
        ge=1,
    )
