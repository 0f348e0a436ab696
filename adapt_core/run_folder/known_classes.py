"""START_FROM: the classes of new data are some of those that the model knows, whatever the data's order."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from adapt_core.errors import InputError, first_of

log = logging.getLogger(__name__)

_NAMED = 5


def require_known(occurring: Iterable[str], known: Sequence[str]) -> None:
    """Check that a model knows the classes that occur in training rows; warn of those of its own that do not occur.

    Args:
        occurring: the names of these classes.
        known: those of the model, in the order of its outputs.

    Raises:
        InputError: it does not know some; the message names them.
    """
    named = set(occurring)
    new = sorted(named.difference(known))
    if new:
        raise InputError(
            f"START_FROM: the data has {classes_in_words(new)} that the model of the run does not know (it knows "
            f"{first_of(known, _NAMED)}). Leave these rows out, or write their classes as there. A model of other "
            "classes starts from the base: MODEL_PATH in place of START_FROM."
        )
    absent = [name for name in known if name not in named]
    if absent:
        log.warning(
            "START_FROM: the training split has no row of %s that the model knows. It keeps them, and may come to "
            "forget them.",
            classes_in_words(absent),
        )


def classes_in_words(names: Sequence[str]) -> str:
    """Return how many classes there are, and the first ones: "2 classes (a, b)"."""
    return f"{len(names)} {'class' if len(names) == 1 else 'classes'} ({first_of(names, _NAMED)})"
