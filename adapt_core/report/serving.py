"""How servers take an adapter: the lines for vLLM, text-generation-inference, llama.cpp and Ollama, or why they do not.

Sources: https://docs.vllm.ai/en/latest/features/lora.html, and `PEFTHelper` in its source, which reads the adapter's
config; https://huggingface.co/docs/text-generation-inference/conceptual/lora
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values of vLLM's `--max-lora-rank`, of which the smallest that holds the adapter is the cheapest."""

_CONFIG = "adapter_config.json"


def adapter_config(folder: Path) -> Mapping[str, Any] | None:
    """Return `adapter_config.json` of an adapter; None where there is none."""
    file = folder / _CONFIG
    if not file.is_file():
        return None
    config: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return config


def why_no_plain_lora(config: Mapping[str, Any]) -> str | None:
    """Return why an adapter is more than a pair of matrices for each layer, which is all that servers take.

    Args:
        config: of `adapter_config.json`.

    Returns:
        None where it is a plain LoRA.
    """
    kind = str(config.get("peft_type"))
    if kind != "LORA":
        return f"it is of the kind {kind}, and not a LoRA"
    if config.get("use_dora"):
        return "DoRA also scales each output by a trained magnitude"
    if config.get("modules_to_save"):
        return f"it also has whole modules: {', '.join(config['modules_to_save'])} (modules_to_save)"
    if config.get("bias", "none") != "none" or config.get("lora_bias"):
        return "it also has trained biases"
    if config.get("trainable_token_indices"):
        return "it also has trained embeddings of tokens (trainable_token_indices)"
    if config.get("target_parameters"):
        return f"it adapts parameters that are no layers: {', '.join(config['target_parameters'])}"
    if config.get("use_bdlora"):
        return "its matrices are kept as blocks (use_bdlora)"
    return None


def why_not_served(config: Mapping[str, Any]) -> str | None:
    """Return why servers that add adapters to a base model do not take one; llama.cpp and Ollama take some of these.

    vLLM adds a LoRA of embeddings in some of its model classes, text-generation-inference in none. One of the output
    layer vLLM 0.32 loads and answers with, and adds to the base model's own answers as well (seen; docs/exports.md).

    Args:
        config: of `adapter_config.json`.

    Returns:
        None where they take it.
    """
    reason = why_no_plain_lora(config)
    if reason is not None:
        return reason
    for names, kind in ((_EMBEDDINGS, "embeddings"), (_OUTPUTS, "the output layer")):
        found = [name for name in _targets(config) if name.rpartition(".")[2] in names]
        if found:
            return f"it also adapts {kind} ({', '.join(found)})"
    return None


_EMBEDDINGS = ("embed_tokens", "tok_embeddings", "word_embeddings", "wte", "wpe", "embed_in", "shared")
_OUTPUTS = ("lm_head", "embed_out")
"""Names of these layers in transformers' language models."""


def _targets(config: Mapping[str, Any]) -> list[str]:
    """Return the names of adapted layers; of a regular expression those of the above that it matches."""
    given = config.get("target_modules") or []
    if not isinstance(given, str):
        return sorted(given)
    if given == "all-linear":  # which leaves out the output layer
        return []
    paths = [f"{path}{name}" for name in (*_EMBEDDINGS, *_OUTPUTS) for path in ("", "model.", "transformer.")]
    return [path for path in paths if re.fullmatch(given, path)]


def largest_rank(config: Mapping[str, Any]) -> int:
    """Return the largest rank of a LoRA's matrices."""
    return max([int(config["r"]), *(int(rank) for rank in (config.get("rank_pattern") or {}).values())])


def vllm_rank(rank: int) -> int:
    """Return the `--max-lora-rank` that holds a rank."""
    return next((allowed for allowed in VLLM_RANKS if allowed >= rank), rank)


def serving(config: Mapping[str, Any], base: str, folder: str, run: str = ".") -> str:
    """Return Markdown: how an adapter of a language model is served.

    Args:
        config: of `adapter_config.json`.
        base: hub id or folder of the base model.
        folder: of the adapter.
        run: of the run, for commands of adapt.
    """
    reason = why_no_plain_lora(config)
    if reason is not None:
        return (
            f"vLLM, text-generation-inference, llama.cpp and Ollama do not take this adapter: {reason}. The merged"
            " model they do, and a LoRA made of it, with its measured error, where linear layers alone changed:\n\n"
            f"```sh\nadapt export {run} --to save_pretrained -o merged\nadapt export {run} --to lora -o lora\n```\n"
        )
    reason = why_not_served(config)
    if reason is not None:
        return (
            f"vLLM and text-generation-inference are no servers for this adapter: {reason}. The merged model they"
            f" take:\n\n```sh\nadapt export {run} --to save_pretrained -o merged\nvllm serve merged\n```\n"
        )
    patterns = [name for name in ("rank_pattern", "alpha_pattern") if config.get(name)]
    if patterns:
        # vLLM reads one rank and one alpha for all layers, and says nothing of others.
        return (
            f"Its layers differ in rank or scale ({', '.join(patterns)}), which vLLM does not read. An equal adapter of"
            f" one rank and scale:\n\n```sh\nadapt export {run} --to vllm -o served\n```\n"
        )
    given, named = quote(base), quote(f"adapted={folder}")
    rank = vllm_rank(largest_rank(config))
    return (
        "By a server that adds the adapter to the base model, for requests that name `adapted`:\n\n"
        "```sh\n"
        f"vllm serve {given} --enable-lora --lora-modules {named} --max-lora-rank {rank}\n"
        f"text-generation-launcher --model-id {given} --lora-adapters {named}\n"
        "```\n\n"
        "llama.cpp and Ollama take it as a GGUF adapter (`pip install adapt-gguf`):\n\n"
        f"```sh\nadapt export {run} --to gguf_adapter -o gguf\n"
        "llama-server -m BASE.gguf --lora gguf/adapter.gguf\n```\n"
    )
