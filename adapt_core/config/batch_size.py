"""BATCH_SIZE: auto, as the keys that it stands for."""

from __future__ import annotations

from adapt_core.config.sections import Given

AUTO = "auto"


def settle_batch_size(given: dict[str, Given]) -> None:
    """Replace BATCH_SIZE: auto in place: a step learns from as many rows as by default, and memory decides the rest.

    Args:
        given: folded key -> what was given.
    """
    item = given.get("batch_size")
    if item is None or str(item.value).strip().casefold() != AUTO:
        return
    del given["batch_size"]
    given["fit_batch_size"] = Given("fit_batch_size", "FIT_BATCH_SIZE", True, item.where)
