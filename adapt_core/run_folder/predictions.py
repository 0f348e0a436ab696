"""`predictions/` of a run folder: what the last `adapt predict` wrote, and nothing of an earlier call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adapt_core.errors import InputError
from adapt_core.run_folder.claims import make_empty_folder
from adapt_core.run_folder.names import PREDICTIONS
from adapt_core.run_folder.ownership import Ownership


def fresh_predictions(run: Path, inputs: Iterable[Path]) -> Path:
    """Empty `predictions/` of what an earlier call wrote, and return it.

    Args:
        run: the run folder.
        inputs: the files that are predicted.

    Raises:
        InputError: it has files of somebody else's or one of the inputs, is a link, or cannot be written.
    """
    folder = run / PREDICTIONS
    if any(path.resolve().is_relative_to(folder.resolve()) for path in inputs):
        raise InputError(
            f"{folder} is replaced by each call of adapt predict: copy the inputs in it to another folder."
        )
    try:
        owner = Ownership.of(run)
        foreign = owner.foreign(PREDICTIONS)
        if foreign:
            raise InputError(
                f"{run} has files that adapt predict did not write: {', '.join(foreign[:5])}. Move them elsewhere."
            )
        owner.forget(PREDICTIONS)
        make_empty_folder(run, PREDICTIONS)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}. Make it writable.") from None
    return folder


def seal_predictions(run: Path) -> None:
    """Record what a call of `adapt predict` wrote."""
    Ownership.of(run).seal(PREDICTIONS)
