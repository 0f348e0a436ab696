"""What a model takes from the data, kept beside its adapter: an adapter's base is built again without the data."""

from __future__ import annotations

import json
from pathlib import Path

from adapt_core.contracts import TaskData
from adapt_core.errors import InputError
from adapt_core.run_folder.files import write_text

FILE = "data.json"


def write_model_data(adapter: Path, data: TaskData) -> None:
    """Write the class names and further facts of the data into an adapter's folder."""
    kept = {"labels": data.labels, "facts": dict(data.facts)}
    write_text(adapter / FILE, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def read_model_data(adapter: Path) -> TaskData | None:
    """Return data without rows, of which a task loads the model that the adapter belongs to.

    Returns:
        None where the folder has none: a version of adapt before this file wrote it.

    Raises:
        InputError: the file is damaged.
    """
    path = adapter / FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        labels, facts = kept["labels"], dict(kept["facts"])
        if labels is not None and not all(isinstance(name, str) for name in labels):
            raise ValueError("a class has no name")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Restore it, or run the config again.") from None
    return TaskData(labels=None if labels is None else tuple(labels), facts=facts)
