"""What image_processor_path means. Needs no torch."""

from __future__ import annotations

import re
from pathlib import Path

from adapt_core.errors import InputError
from adapt_core.hf.models.location import PROCESSOR_FILES, ModelSource


def locate_processor(name: str) -> ModelSource:
    """The source of an image processor: a folder with its file, or a hub id.

    Raises:
        InputError: the folder holds no processor, or the name is neither.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not any((path / file).is_file() for file in PROCESSOR_FILES):
            raise InputError(f"image_processor_path: {name} holds no {PROCESSOR_FILES[0]}.")
        return ModelSource(name, path=path.absolute())
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise InputError(f"image_processor_path: {name} is no folder here and no hub id (ORG/NAME).")
    return ModelSource(name, hub_id=name)
