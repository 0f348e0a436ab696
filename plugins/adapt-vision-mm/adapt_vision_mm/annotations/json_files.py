"""JSON files as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapt_core.errors import DataError


def read_json(file: Path) -> Any:
    """Return what a file holds, also where it begins with a byte order mark.

    Raises:
        DataError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}. Write the file again.") from None
    except RecursionError:
        raise DataError(f"{file}: lists or objects are nested too deeply. Write the file with fewer levels.") from None
