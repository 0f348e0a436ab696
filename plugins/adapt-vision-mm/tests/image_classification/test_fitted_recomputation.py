"""GRADIENT_CHECKPOINTING: auto on images: nothing or whole blocks for timm, which knows no KEEP_ATTENTION."""

from __future__ import annotations

from typing import Any

import pytest

from adapt_core import api
from adapt_core.estimate import batch_size as fitting

from ..conftest import Keys


def chosen(keys: Keys, free: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(fitting, "_free", lambda device: (0, int(free / fitting.SHARE) + 1))
    return api.estimate(api.check({**keys, "GRADIENT_CHECKPOINTING": "auto"}))


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_blocks_are_recomputed_where_the_whole_does_not_fit(
    keys: Keys, hf_keys: Keys, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = keys if library == "timm" else hf_keys
    whole, blocks = (
        api.estimate(api.check({**given, "GRADIENT_CHECKPOINTING": value})).memory for value in (False, True)
    )
    assert whole is not None
    assert blocks is not None
    assert blocks.total < whole.total
    found = chosen(given, whole.total, monkeypatch)
    assert "auto: nothing is recomputed: " in found.recomputation
    found = chosen(given, blocks.total, monkeypatch)
    assert "auto: blocks are recomputed: " in found.recomputation
    assert found.memory == blocks
