"""Files that are no tables here: which of them a folder holds, and what to make of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adapt_core.errors import first_of

_TAGGED = 'Write each sentence as a row of a .jsonl file: {"tokens": ["Ada", ...], "ner_tags": ["B-PER", ...]}.'
_CONLL = "A task that tags words reads it: set TASK: text_classification and subtask: ner, pos or chunk."
_PAIRS = 'Write each pair as a row of a .jsonl file: {"translation": {"en": ..., "de": ...}}.'
_REMEDIES = {
    **dict.fromkeys((".xls", ".xlsb", ".numbers"), "Save the sheet as .xlsx or .csv."),
    ".conllu": _TAGGED,
    **dict.fromkeys((".conll", ".bio", ".iob", ".iob2", ".bioes", ".bilou"), _CONLL),
    ".tmx": "The task translation reads it.",
    **dict.fromkeys((".xliff", ".xlf"), _PAIRS),
    **dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z"), "Unpack it."),
    **dict.fromkeys((".pkl", ".pickle", ".npy", ".npz", ".feather", ".db", ".sqlite"), "Write the rows as .parquet."),
}
"""Case-folded suffix of files that hold rows elsewhere -> how to make them a table."""


def what_to_make_of(files: Iterable[Path]) -> str:
    """Return what to do with files that are not read, behind a space: " It holds a.xlsx. Save the sheet as .csv."

    Args:
        files: what is there; "" is returned where it is not known of any.
    """
    known = [path for path in files if path.suffix.casefold() in _REMEDIES]
    if not known:
        return ""
    return f" It holds {first_of(path.name for path in known)}. {_REMEDIES[known[0].suffix.casefold()]}"


def remedy_for(suffix: str) -> str:
    """Return how to make a table of a file of such a type, behind a space, or "" where that is not known."""
    remedy = _REMEDIES.get(suffix.casefold())
    return "" if remedy is None else f" {remedy}"
