"""The lengths of tokenized documents, counted a batch at a time in the memory-mapped file."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("datasets")

TOKENS = 400
DOCUMENTS = 20_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 000 saved documents of 1 to 400 tokens: 16 MB of ids."""
    import datasets
    import pyarrow

    place = tmp_path_factory.mktemp("documents")
    features = datasets.Features({"input_ids": datasets.Sequence(datasets.Value("int32"))})
    rows = [{"input_ids": list(range(1 + row % TOKENS))} for row in range(DOCUMENTS)]
    datasets.Dataset(pyarrow.Table.from_pylist(rows, schema=features.arrow_schema)).save_to_disk(str(place))
    return place


def test_every_document_has_its_own_length_also_behind_a_choice_of_rows(folder: Path) -> None:
    import datasets

    from adapt_core.hf.data.columns import token_lengths

    documents = datasets.load_from_disk(str(folder))
    assert token_lengths(documents).tolist() == [1 + row % TOKENS for row in range(DOCUMENTS)]
    assert token_lengths(documents.select([19_999, 3, 7])).tolist() == [1 + 19_999 % TOKENS, 4, 8]
