"""The backend of a plan, chosen by one rule that needs no torch.

1. A local folder belongs to the library whose key its config.json has (`model_type`: Hugging Face; `architecture`:
   timm).
2. A bare name (`densenet121`, `vit_small_patch16_224.augreg_in1k`) is a timm architecture. A local file, or a folder
   with one file and no config.json, has the weights of the architecture that MODEL_PATH (else model_type) names.
3. A hub id belongs to the library that FRAMEWORK names. Without it, ids of `timm/` and `hf-hub:ORG/NAME` are timm's
   and all others Hugging Face's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.models.location import ModelSource, locate
from adapt_core.plugin.import_strings import load_object

from adapt_vision_mm.image_classification.backends.base import WEIGHT_SUFFIXES, Backend, LocatedModel, is_bare_name
from adapt_vision_mm.image_classification.backends.libraries import LIBRARIES, Library
from adapt_vision_mm.image_classification.params import ImageClassificationParams

_OF_ARCHITECTURES = next(library for library in LIBRARIES if library.names_architectures)


def choose_backend(plan: Plan[ImageClassificationParams]) -> Backend:
    """Return the backend of a plan's model, by the rule above.

    Raises:
        InputError: a path does not exist, a folder has no usable config.json, or keys contradict one another.
    """
    library, model = _locate(plan)
    backend: Backend = load_object(library.backend)(plan, model)
    backend.check_keys()
    return backend


def _locate(plan: Plan[ImageClassificationParams]) -> tuple[Library, LocatedModel]:
    given = str(plan.model.local_model_path or plan.model.model_path)
    for library in LIBRARIES:
        scheme = next((p for p in library.hub_prefixes if p.endswith(":") and given.startswith(p)), None)
        if scheme:
            source = ModelSource(given, hub_id=given.removeprefix(scheme))
            return _named_library(plan) or library, LocatedModel(source=source)
    if is_bare_name(given) and not plan.model.local_model_path:
        return _OF_ARCHITECTURES, LocatedModel()
    source = locate(plan)
    if source.path is not None:
        return _locate_local(source, source.path)
    owner = next((x for x in LIBRARIES if str(source.hub_id).startswith(x.hub_prefixes)), LIBRARIES[0])
    return _named_library(plan) or owner, LocatedModel(source=source)


def _named_library(plan: Plan[ImageClassificationParams]) -> Library | None:
    return next((library for library in LIBRARIES if library.name == plan.task.params.framework), None)


def _locate_local(source: ModelSource, path: Path) -> tuple[Library, LocatedModel]:
    if path.is_file():
        return _OF_ARCHITECTURES, LocatedModel(source=source)
    file = path / "config.json"
    if not file.is_file():
        return _OF_ARCHITECTURES, LocatedModel(source=ModelSource(source.given, path=_only_weights(source, path)))
    config = _read_config(file)
    library = next((library for library in LIBRARIES if library.config_key in config), None)
    if library is None:
        keys = " nor ".join(f"{library.config_key} ({library.name})" for library in LIBRARIES)
        raise InputError(f"{file} has neither {keys}. Add one of them.")
    return library, LocatedModel(source=source, config=config)


def _only_weights(source: ModelSource, folder: Path) -> Path:
    weights = sorted(file for file in folder.iterdir() if file.suffix in WEIGHT_SUFFIXES)
    if len(weights) != 1:
        found = f"and {len(weights)} files of weights" if weights else "and no weights"
        raise InputError(f"{source.given} has no config.json, {found}. Give the path of the file of weights.")
    return weights[0]


def _read_config(file: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as JSON: {error}. Restore the file.") from None
    return config if isinstance(config, dict) else {}
