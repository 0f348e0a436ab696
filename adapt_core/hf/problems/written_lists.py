"""Lists that a table holds as text, as pandas writes them into csv: "['joy', 'anger']", "[0, 1]"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values
from adapt_core.hf.data.row_places import place_of

if TYPE_CHECKING:
    from datasets import Dataset

_ITEM = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?[0-9.]+(?:[eE][-+]?[0-9]+)?|[Tt]rue|[Ff]alse)"""
_LIST = re.compile(rf"\s*\[\s*(?:{_ITEM}\s*(?:,\s*{_ITEM}\s*)*,?\s*)?\]\s*", re.DOTALL)
_QUOTED = re.compile(r"""\s*\[\s*['"].*['"]\s*\]\s*""", re.DOTALL)
_SWITCH = re.compile(r"\b(true|false)\b(?=\s*[,\]])")


def read_list(cell: object) -> list[Any] | None:
    """Return a cell as a list: one as it is, or one of texts, numbers and booleans that a text spells; else None."""
    if isinstance(cell, list):
        return cell
    if not isinstance(cell, str) or not _LIST.fullmatch(cell):
        return None
    try:
        read = ast.literal_eval(_SWITCH.sub(lambda word: word[0].title(), cell.strip()))
    except (ValueError, SyntaxError):
        return None
    return read if isinstance(read, list) else None


def list_fault(cell: object) -> str | None:
    """Return why a text that looks like a list of texts is none, or None."""
    if isinstance(cell, str) and _QUOTED.fullmatch(cell) and read_list(cell) is None:
        return f"{cell[:60]!r} looks like a list and cannot be read as one: numpy writes lists without commas"
    return None


def are_lists(cells: Iterable[object]) -> bool:
    """Return whether all texts among cells, one or more, are lists, or look like it."""
    texts = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    return bool(texts) and all(read_list(text) is not None or list_fault(text) is not None for text in texts)


def read_column(rows: Dataset, column: str) -> list[Any]:
    """Return the cells of a column, texts as lists where all are such (see `are_lists`): an empty text is empty.

    Raises:
        DataError: one cannot be read.
    """
    values, found = list(column_values(rows, column)), list[Any]()
    if not are_lists(values):
        return values
    for row, value in enumerate(values):
        if (fault := list_fault(value)) is not None:
            place = place_of(rows, "train", row) or "the data"
            raise DataError(
                f"training row {row + 1}: column {column!r}: {fault}. Write commas between the items of {place}."
            )
        found.append((read_list(value) if value.strip() else []) if isinstance(value, str) else value)
    return found


def size_of_vectors(rows: Dataset, column: str, values: Sequence[Any]) -> int:
    """Return the length of the lists of 0 and 1 that stand for all labels of a row; 0 where the lists are others.

    As names, the two of a list of 0 and 1 would be the labels of every row.
    """
    feature = getattr(rows.features[column], "feature", None)
    lists = [value for value in values if value is not None]
    if getattr(feature, "names", None) is not None or not all(isinstance(value, list) for value in lists):
        return 0
    sizes = {len(value) for value in lists}
    items = {(type(item), item) for value in lists for item in value if not isinstance(item, (list, dict))}
    plain = all(not isinstance(item, (list, dict)) for value in lists for item in value)
    numbers = plain and all(kind in (bool, int, float) and item in (0, 1) for kind, item in items)
    return sizes.pop() if numbers and len(sizes) == 1 and max(sizes) > 1 else 0
