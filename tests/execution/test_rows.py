"""Rows in memory become files of the cache."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapt_core.errors import InputError
from adapt_core.execution.rows import store_rows

config = pytest.importorskip("datasets", reason="needs the extra adapt-core[hf]").config

ROWS = [{"text": f"row {number}", "label": "even" if number % 2 == 0 else "odd"} for number in range(50)]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InputError, match="the rows of train are no table"):
        store_rows([{"text": "\ud83d"}])


def test_several_ranks_may_write_the_same_rows_at_once(tmp_path: Path) -> None:
    for turn in range(10):
        rows = [*ROWS, {"text": f"turn {turn}", "label": "odd"}]
        with ThreadPoolExecutor(8) as pool:
            stored = list(pool.map(store_rows, [rows] * 8))
        assert len({files["train"] for files in stored}) == 1
    folders = {path.name for path in (tmp_path / "adapt").iterdir()}
    assert len(folders) == 10
    assert not [name for name in folders if name.startswith(".")]
