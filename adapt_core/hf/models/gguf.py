"""GGUF files as MODEL_PATH: dequantized and converted once to a model folder in the cache."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

import attrs

from adapt_core.errors import InputError
from adapt_core.hf.models.location import ModelSource
from adapt_core.hf.models.logging import quiet_libraries
from adapt_core.run_folder.files import atomic_folder, digest_of

_MAGIC = b"GGUF"
_FORM = 2
"""Of converted folders: 2 has the scaling of rotary positions, which earlier ones lack."""

log = logging.getLogger(__name__)


def is_gguf(source: ModelSource) -> bool:
    """Return whether a source is a file named *.gguf."""
    return source.path is not None and source.path.is_file() and source.path.suffix.casefold() == ".gguf"


def check_gguf(source: ModelSource) -> None:
    """Check, without torch, that a model file can be read.

    Raises:
        InputError: the file has another format, or the package gguf is missing.
    """
    if source.path is None or source.path.is_dir():
        return
    if not is_gguf(source):
        raise InputError(
            f"MODEL_PATH: {source.given} is a file; language models are folders, hub ids or .gguf files."
            " Give one of them."
        )
    with source.path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise InputError(
                f"MODEL_PATH: {source.given} is not a GGUF file (it does not start with {_MAGIC.decode()})."
                " Download it again, or give a model folder."
            )
    if find_spec("gguf") is None:
        raise InputError("MODEL_PATH: reading a GGUF file needs the package gguf: pip install gguf")


def convert_gguf(source: ModelSource) -> ModelSource:
    """Return the model folder of a GGUF file, in float32, converted now or by an earlier run; other sources unchanged.

    The folder is named by the digest of the file, so a changed file is converted again.

    Raises:
        InputError: transformers cannot read the file.
    """
    if not is_gguf(source):
        return source
    assert source.path is not None
    from filelock import FileLock
    from huggingface_hub import constants

    cache = Path(constants.HF_HOME) / "adapt" / "gguf"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{digest_of(source.path)}-{_FORM}"
    with FileLock(f"{folder}.lock"):
        if folder.is_dir():
            log.info("MODEL_PATH: %s was converted earlier: %s", source.given, folder)
        else:
            log.info("MODEL_PATH: %s is dequantized and converted once into %s", source.given, folder)
            _convert(source, folder)
    return attrs.evolve(source, path=folder)


def _convert(source: ModelSource, folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from adapt_core.hf.models.gguf_positions import add_scaling

    assert source.path is not None
    quiet_libraries()
    where, name = str(source.path.parent), source.path.name
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=name, trust_remote_code=False)
        config = AutoConfig.from_pretrained(where, gguf_file=name, trust_remote_code=False)
        add_scaling(config, source.path)
        model = AutoModelForCausalLM.from_pretrained(
            where, gguf_file=name, config=config, dtype=torch.float32, trust_remote_code=False
        )
    except (ValueError, OSError, RuntimeError, KeyError, ImportError) as error:
        raise InputError(
            f"MODEL_PATH: {source.given} cannot be converted: {' '.join(str(error).split())[:300]}"
            " (Give a model folder instead.)"
        ) from error
    # The weights are not quantized any more; with these attributes transformers would refuse to save them.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    with atomic_folder(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
