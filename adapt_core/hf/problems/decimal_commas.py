"""Numbers with a decimal comma (1.234,5), as spreadsheets of many languages write them into tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from adapt_core.errors import DataError
from adapt_core.hf.data.columns import number_of

_DECIMAL = re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_WHOLE = re.compile(r"[-+]?\d+")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")


def decimal_of(text: str) -> float | None:
    """Return the number of a text in a column of decimal commas; None where it is none, or has a decimal point."""
    text = text.strip()
    if _DECIMAL.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    return float(text) if _WHOLE.fullmatch(text) else None


def has_decimal_commas(column: str, values: Iterable[object]) -> bool:
    """Return whether the texts of a column are numbers of which some have a decimal comma, and none a point.

    Args:
        column: its name, for the message.
        values: of it, such as are no numbers too.

    Raises:
        DataError: three digits stand behind each comma, so that it may part thousands.
    """
    texts = {value.strip() for value in values if isinstance(value, str)}
    commas = sorted(text for text in texts if _DECIMAL.fullmatch(text) or _THOUSANDS.fullmatch(text))
    if not commas or any("," not in text and "." in text and number_of(text) is not None for text in texts):
        return False
    if all(map(_THOUSANDS.fullmatch, commas)):
        raise DataError(
            f"column {column!r}: the comma of {commas[0]!r}, as that of each other number there, has three digits "
            "behind it, and may stand before decimals or thousands. Write decimals with a point, and thousands without "
            "a comma."
        )
    return True
