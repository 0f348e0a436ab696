"""What is installed here, which devices there are, and what could be added."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from adapt_core.registry import Registry
from adapt_core.versions import installed_version, versions

_PARTS = (
    ("transformers", "the Hugging Face loop", "pip install 'adapt-core[hf]'"),
    ("adapt-nlp", "language tasks", "pip install adapt-nlp"),
    ("adapt-vision-mm", "vision tasks", "pip install adapt-vision-mm"),
    ("adapt-peft-ssf", "LoRA, DoRA, SSF, 4 and 8 bit", "pip install adapt-peft-ssf"),
    ("adapt-fsdp", "DDP and FSDP", "pip install adapt-fsdp"),
    ("bitsandbytes", "8-bit and paged optimizers", "pip install bitsandbytes"),
    ("tensorboard", "TRACKERS: [tensorboard]", "pip install 'adapt-core[tensorboard]'"),
    ("flash-attn", "flash_attention2, on a GPU", "pip install flash-attn"),
)


def diagnose(disabled: Iterable[str] = ()) -> dict[str, Any]:
    """Versions, devices, optional parts and broken plugins, as plain data. Imports torch to look at the devices."""
    registry = Registry.discover(disabled)
    parts, broken = _parts_of_plugins(registry)
    return {
        "versions": versions(registry),
        "devices": _devices(),
        "parts": [
            *(
                {"name": name, "for": purpose, "present": installed_version(name) is not None, "add": command}
                for name, purpose, command in _PARTS
            ),
            *parts,
        ],
        "broken": [*(f"{b.provenance}: {b.cause}" for b in registry.broken), *broken],
    }


def _parts_of_plugins(registry: Registry) -> tuple[list[dict[str, Any]], list[str]]:
    """What the plugins tell of their optional parts, and which of them failed to."""
    parts: list[dict[str, Any]] = []
    broken = []
    hook: Any = registry.manager.hook.adapt_parts
    for implementation in hook.get_hookimpls():
        try:
            parts += [
                {"name": p.name, "for": p.purpose, "present": p.present, "add": p.add, "note": p.note}
                for p in implementation.function()
            ]
        except Exception as error:  # noqa: BLE001 - any plugin code may raise anything; the cause is told
            broken.append(f"{registry.provenance[implementation.plugin_name]}: adapt_parts() raised {error}")
    return parts, broken


def _devices() -> list[str]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [f"cpu: {cores} cores, {torch.get_num_threads()} threads"]
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        found.append(f"cuda:{number}: {properties.name}, {properties.total_memory / 2**30:.1f} GiB")
    if not torch.cuda.is_available():
        found.append("no GPU is to be seen here")
    return found
