"""Fixtures of the tests of deferred logits."""

from __future__ import annotations

import pytest


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks in a small batch, and several blocks of words, the last ones shorter."""
    from adapt_core.hf.loop import chunked_loss, word_blocks

    from .deferral import WORDS

    monkeypatch.setattr(chunked_loss, "CHUNK_ELEMENTS", 16 * WORDS)
    monkeypatch.setattr(chunked_loss, "LEAST_POSITIONS", 16)
    monkeypatch.setattr(word_blocks, "WORDS", 40)
