"""Checkpoints with code in them, and what must become of a run that is given one."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from adapt_core.errors import InputError

Run = Callable[..., Any]


@pytest.fixture
def evil(tmp_path: Path) -> Iterator[bytes]:
    """A pickle that makes a folder when it is loaded: none must be there when the test is over."""

    class Payload:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "pwned"),))

    yield pickle.dumps({"state_dict": {"weight": torch.zeros(1)}, "meta": Payload()})
    assert not (tmp_path / "pwned").exists()


def refused(run: Run, **changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        run(**changes)
    assert len(str(caught.value).splitlines()) <= 10
    return str(caught.value)
