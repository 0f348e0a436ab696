"""CLASS_WEIGHTS of text classification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapt_core.errors import InputError

Run = Callable[..., Any]


@pytest.mark.parametrize(
    "weights", ["balanced", dict.fromkeys(("loans", "events", "rooms", "workshop", "feedback"), 1.0) | {"account": 9.0}]
)
def test_class_weights_change_the_loss(run: Run, weights: Any) -> None:
    plain = run(MAX_TRAIN_SAMPLES=50)
    weighted = run(CLASS_WEIGHTS=weights, MAX_TRAIN_SAMPLES=50, OVERWRITE_OUTPUT_DIR=True)
    assert weighted.metrics["after"]["loss"] != plain.metrics["after"]["loss"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [("heavy", "balanced or a mapping"), ({"loans": 1}, "missing: account"), ({"lones": 1}, "missing")],
)
def test_class_weights_that_do_not_fit_are_refused(run: Run, weights: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(CLASS_WEIGHTS=weights)
