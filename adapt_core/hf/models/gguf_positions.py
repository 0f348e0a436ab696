"""Scaled rotary positions of a GGUF file, which transformers leaves out when it reads one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.errors import InputError

if TYPE_CHECKING:
    from gguf import GGUFReader
    from transformers import PretrainedConfig

_FREQUENCIES = "rope_freqs.weight"
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""What every published Llama 3.x has beside its factor, which alone can be read off the file's tensor."""

_CLOSE = 1e-3


def add_scaling(config: PretrainedConfig, file: Path) -> None:
    """Add how a file scales rotary positions to the config that transformers made of it.

    Args:
        config: changed in place.
        file: the GGUF file.

    Raises:
        InputError: the scaling is of another kind than transformers' linear, YaRN and Llama 3 ones.
    """
    from gguf import GGUFReader

    reader = GGUFReader(file)
    found = _of_metadata(reader, file) or _of_frequencies(reader, config, file)
    ropes: Any = getattr(config, "rope_parameters", None)
    if found and ropes is not None:
        ropes.get("full_attention", ropes).update(found)  # Gemma 3 has a set for each kind of layer


def _of_metadata(reader: GGUFReader, file: Path) -> dict[str, Any]:
    architecture = reader.fields["general.architecture"].contents()

    def field(name: str, default: Any = None) -> Any:
        found = reader.get_field(f"{architecture}.rope.scaling.{name}")
        return default if found is None else found.contents()

    kind = field("type", "none")
    if kind == "none":
        return {}
    if kind not in ("linear", "yarn") or field("factor") is None:
        raise _unknown(file, kind)
    factor = float(field("factor"))
    if kind == "linear":
        return {"rope_type": kind, "factor": factor}
    found = {
        "rope_type": kind,
        "factor": factor,
        "beta_fast": float(field("yarn_beta_fast", 32.0)),
        "beta_slow": float(field("yarn_beta_slow", 1.0)),
        "attention_factor": (0.1 * math.log(factor) + 1 if factor > 1 else 1.0) * float(field("attn_factor", 1.0)),
    }
    original = field("original_context_length")
    return found if original is None else {**found, "original_max_position_embeddings": int(original)}


def _of_frequencies(reader: GGUFReader, config: PretrainedConfig, file: Path) -> dict[str, Any]:
    """Return Llama 3's parameters whose frequencies are those of the file's tensor; nothing without such a tensor."""
    import copy

    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    tensor = next((one for one in reader.tensors if one.name == _FREQUENCIES), None)
    if tensor is None:
        return {}
    factors = torch.from_numpy(tensor.data.copy()).float()
    found = {"rope_type": "llama3", "factor": float(factors.max()), **_LLAMA3}
    trial: Any = copy.deepcopy(config)
    theta = trial.rope_parameters["rope_theta"]
    trial.rope_parameters.update(found)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](trial, "cpu")
    plain = theta ** -(torch.arange(len(scaled)) / len(scaled))
    if len(factors) != len(scaled) or not torch.allclose(plain / scaled, factors, rtol=_CLOSE):
        raise _unknown(file, f"by {_FREQUENCIES}, which are not those of a published Llama 3")
    return found


def _unknown(file: Path, kind: str) -> InputError:
    return InputError(
        f"MODEL_PATH: {file} scales its rotary positions ({kind}), which cannot be told to transformers. Give the"
        " model's folder instead."
    )
