"""The lines of `metrics.jsonl`, read once or on and on while a run writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from adapt_core.errors import InputError

INTERVALS = "intervals"
"""In a line: metric -> its 95 % interval, of those that have one."""

_COMPARED = 256
"""Bytes before the place where reading goes on, by which a file that began anew is told from one that grew."""


class MetricLines:
    """Reads a file that a run appends to; each reading takes up where the one before ended.

    Args:
        file: `metrics.jsonl` of a run folder.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._read = self._count = 0
        self._last = b""

    def more(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the lines that were added since the last reading; a last line that was cut short is left for the next.

        Returns:
            the lines, and whether they are all of the file: at the first reading, and where it began anew (a resumed
            run drops what it will write again).

        Raises:
            InputError: the file cannot be read, or holds what no run wrote.
        """
        try:
            with self._file.open("rb") as file:
                file.seek(self._read - len(self._last))
                anew = file.read(len(self._last)) != self._last
                if anew:
                    self._begin_anew()
                    file.seek(0)
                whole = self._read == 0
                content = file.read()
                content.decode("utf-8")
        except FileNotFoundError:
            self._begin_anew()
            return [], True
        except (OSError, ValueError) as error:
            message = f"{self._file} cannot be read ({error}). Restore it, or give another OUTPUT_DIR."
            raise InputError(message) from None
        texts = content.splitlines(keepends=True)
        if texts and self._last and not self._last.endswith(b"\n"):  # the end of a line that was whole without it
            self._take(texts.pop(0))
        lines = []
        for number, text in enumerate(texts, start=1):
            line = _line(text)
            if line is None and number < len(texts):
                place = f"{self._file}:{self._count + 1}"
                self._begin_anew()  # The lines before it were not returned: once it is mended, all are.
                raise InputError(f"{place}: not a line that a run wrote. Restore it, or give another OUTPUT_DIR.")
            if line is None:
                break
            lines.append(line)
            self._count += 1
            self._take(text)
        return lines, whole

    def _take(self, text: bytes) -> None:
        self._read += len(text)
        self._last = (self._last + text)[-_COMPARED:]


def _line(text: bytes) -> dict[str, Any] | None:
    """Return a line of `metrics.jsonl`, or None where it is not one."""
    try:
        line = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    known = isinstance(line, dict) and isinstance(line.get("step"), int) and isinstance(line.get("phase"), str)
    numbers = known and all(
        value is None or _is_finite(value) for key, value in line.items() if key not in ("phase", INTERVALS)
    )
    return line if numbers and _are_intervals(line.get(INTERVALS, {})) else None


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:  # an integer beyond a float's range
        return False


def _are_intervals(held: object) -> bool:
    return isinstance(held, dict) and all(
        isinstance(ends, list) and len(ends) == 2 and all(_is_finite(end) for end in ends) for ends in held.values()
    )
