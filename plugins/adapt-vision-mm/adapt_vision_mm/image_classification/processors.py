"""The image processor that image_processor_path names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import PROCESSOR_FILES, ModelSource

from adapt_vision_mm.image_classification.defaults import DEFAULT_PROCESSOR
from adapt_vision_mm.image_classification.params import ImageClassificationParams

if TYPE_CHECKING:
    from transformers.image_processing_utils import BaseImageProcessor


def locate_processor(name: str) -> ModelSource:
    """Return the source of an image processor: a folder with its file, or a hub id. Needs no torch.

    Raises:
        InputError: the folder has no processor, or the name is neither.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not any((path / file).is_file() for file in PROCESSOR_FILES):
            raise InputError(f"image_processor_path: {name} has no {PROCESSOR_FILES[0]}. Add it.")
        return ModelSource(name, path=path.absolute())
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise InputError(f"image_processor_path: {name} is neither a directory nor a hub id (ORG/NAME). Correct it.")
    return ModelSource(name, hub_id=name)


def load_named_processor(plan: Plan[ImageClassificationParams]) -> BaseImageProcessor | None:
    """Load the processor that image_processor_path names; return None if it is the default.

    Raises:
        InputError: it cannot be found or loaded.
    """
    from transformers import AutoImageProcessor

    from adapt_core.hf.models.hub import require_model
    from adapt_core.hf.models.pretrained import load_companion

    name = plan.task.params.image_processor_path
    if name == DEFAULT_PROCESSOR:
        return None
    source = locate_processor(name)
    if source.path is None:
        require_model(source, "image_processor_path")
    processor: BaseImageProcessor = load_companion(AutoImageProcessor.from_pretrained, source, plan)
    return processor
