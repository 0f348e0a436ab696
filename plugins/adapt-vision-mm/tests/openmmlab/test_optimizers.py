"""Every optimizer that OPTIMIZER names trains a detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapt_vision_mm.openmmlab.spec import MM_LOOP

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

OF_THE_SPECIFICATION = ("adamw_torch", "sgd", "paged_adamw_32bit")


def trains(run: Callable[..., Any], optimizer: str) -> None:
    package = MM_LOOP.optimizers[optimizer]
    if package is not None:
        pytest.importorskip(package, reason="needs bitsandbytes (adapt-peft-ssf brings it)")
    result = run(OPTIMIZER=optimizer, MAX_STEPS=4, DO_EVAL=False, INTERVAL="no", LR=1e-3)
    assert result.training_check["verdict"] == "learned"


@pytest.mark.parametrize("optimizer", OF_THE_SPECIFICATION)
def test_the_optimizers_of_the_specification_train(run: Callable[..., Any], optimizer: str) -> None:
    trains(run, optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [name for name in MM_LOOP.optimizers if name not in OF_THE_SPECIFICATION])
def test_every_other_optimizer_trains(run: Callable[..., Any], optimizer: str) -> None:
    trains(run, optimizer)
