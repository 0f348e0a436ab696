"""What a finished run's model took from the data: the names of its classes, and further facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.continuation import adapter_of
from adapt_core.errors import InputError

FILE = "data.json"
"""In the folder of an adapter, whose base is built again without the data."""


@attrs.frozen
class ModelData:
    """What a model took from the data that it was trained on.

    Attributes:
        labels: the names of classes or numbers in the order of the model's outputs; None where it has none.
        facts: see `TaskData.facts`.
    """

    labels: tuple[str, ...] | None
    facts: Mapping[str, Any]


def of_adapter(adapter: Path) -> ModelData | None:
    """Return what is kept beside an adapter.

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
    return ModelData(None if labels is None else tuple(labels), facts)


def of_start(start_from: str | None) -> ModelData | None:
    """Return what the model of START_FROM took from its data; None without START_FROM, or where no file says it.

    Of a whole model it is what its config.json says: `id2label` or timm's `label_names`, and `problem_type`.

    Raises:
        InputError: the file beside the adapter is damaged.
    """
    if start_from is None:
        return None
    adapter = adapter_of(start_from)
    if adapter is not None:
        return of_adapter(adapter)
    try:
        path = Path(start_from).expanduser().absolute() / "model" / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        named = config.get("label_names") or [config["id2label"][str(n)] for n in range(len(config["id2label"]))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    kind = config.get("problem_type")
    return ModelData(tuple(map(str, named)), {} if kind is None else {"problem_type": kind})
