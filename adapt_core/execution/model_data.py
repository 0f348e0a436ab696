"""What a model takes from the data, kept beside its adapter: an adapter's base is built again without the data."""

from __future__ import annotations

import json
from pathlib import Path

from adapt_core.contracts import TaskData
from adapt_core.run_folder.files import write_text
from adapt_core.run_folder.model_data import FILE, of_adapter


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
    kept = of_adapter(adapter)
    return None if kept is None else TaskData(labels=kept.labels, facts=dict(kept.facts))
