"""Quillmark's exports: a line that says so, then a JSON object for each document and its verdicts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from adapt_core.plugin import Place, Row

_BEGINNING = b'{"quillmark_export"'


class Quillmark:
    """The format."""

    def recognise(self, place: Place) -> str | None:
        """Return a reason where the first line is that of an export."""
        with place.files[0].open("rb") as file:
            is_export = file.read(len(_BEGINNING)) == _BEGINNING
        return f"{place.files[0].name} begins with quillmark_export" if is_export else None

    def read(self, place: Place) -> Iterator[Row]:
        """Yield each document with the label that most of its annotators chose."""
        for path in place.files:
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if number > 1 and line.strip():
                        text, label, fault = _document(line)
                        yield Row({"text": text, "label": label}, path, number, fault)


def _document(line: bytes) -> tuple[str, str, str | None]:
    """Return the text and the label of a document, and why it cannot be used."""
    try:
        entry = json.loads(line)
        text, choices = entry["doc"]["body"], Counter(verdict["choice"] for verdict in entry["verdicts"])
    except (ValueError, KeyError, TypeError) as error:
        return "", "", f"not a document of Quillmark ({error!r})"
    ranked = choices.most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return text, "", "no label has most verdicts"
    return text, ranked[0][0], None
