"""Names of a model's parameters in a GGUF file, by gguf's own table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from adapt_core.errors import InputError, first_of

from adapt_gguf.families import family_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def file_names(parameters: Iterable[str], config: PretrainedConfig) -> dict[str, str]:
    """Return the parameters' names in the file.

    Args:
        parameters: names in the model's state.
        config: the model's transformers config.

    Raises:
        InputError: the architecture has no place for some.
    """
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

    family = family_of(config.model_type)
    arch = next(arch for arch in MODEL_ARCH if MODEL_ARCH_NAMES.get(arch) == family.architecture)
    table = get_tensor_name_map(arch, config.num_hidden_layers)
    found = {name: table.get_name(name, try_suffixes=(".weight", ".bias")) for name in parameters}
    missing = sorted(name for name, named in found.items() if named is None)
    if missing:
        raise InputError(
            f"GGUF: the architecture {family.architecture} has no place for {len(missing)} of the model's tensors: "
            f"{first_of(missing, 3)}. Export with --save-method save_pretrained instead."
        )
    return {name: str(named) for name, named in found.items()}
