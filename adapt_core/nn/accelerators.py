"""The accelerator that torch was built for, whichever it is: an NVIDIA or AMD GPU, Apple's, Intel's.

A build of torch serves one kind (`torch.accelerator`); its type is the first part of a device's name ("cuda", also for
AMD; "mps" for Apple's; "xpu" for Intel's; what further backends register).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SHARES_MEMORY = ("cpu", "mps")
"""Devices whose memory is the machine's own."""
NAMES = {"cuda": "a GPU", "mps": "Apple's GPU", "xpu": "an Intel GPU"}
"""What the types stand for, in words."""


def accelerator() -> str | None:
    """Return the type of the accelerator that torch can use here, or None. Imports torch."""
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    return None if found is None else found.type


def accelerator_count() -> int:
    """Return the number of accelerators that torch can use here. Imports torch."""
    import torch

    return torch.accelerator.device_count() if accelerator() is not None else 0


def described(number: int) -> str:
    """Return an accelerator with its name and memory, for a person: "cuda:0: NVIDIA H200, 139.8 GiB"."""
    kind = accelerator()
    assert kind is not None
    device = device_name(kind, number)
    name = getattr(_module(kind), "get_device_name", None)
    shown = NAMES.get(kind, kind) if name is None else name(number)
    return f"{device}: {shown}, {memory_of(device) / 2**30:.1f} GiB"


def device_name(kind: str, number: int) -> str:
    """Return the name of an accelerator: there is one of Apple's, without a number."""
    return kind if kind == "mps" else f"{kind}:{number}"


def memory_of(device: str) -> int:
    """Return the bytes of an accelerator's memory; of Apple's, what Metal recommends to use of the machine's."""
    module = _module(device)
    if device == "mps":
        return int(module.recommended_max_memory())
    return int(module.get_device_properties(device).total_memory)


def free_memory(device: str) -> int:
    """Return the bytes of an accelerator's own memory that no process has."""
    return int(_module(device).mem_get_info(device)[0])


def peak_allocated(device: str) -> int:
    """Return the most bytes that this process has had on an accelerator; on Apple's, what it has there now."""
    module = _module(device)
    return int(module.driver_allocated_memory() if device == "mps" else module.max_memory_allocated(device))


def random_states() -> list[torch.Tensor]:
    """Return the random state of each accelerator."""
    kind = accelerator()
    if kind is None:
        return []
    module = _module(kind)
    return [module.get_rng_state()] if kind == "mps" else list(module.get_rng_state_all())


def set_random_states(states: Sequence[torch.Tensor]) -> None:
    """Set what `random_states` returned; without states, or without an accelerator, nothing."""
    kind = accelerator()
    if kind is None or not states:
        return
    module = _module(kind)
    if kind == "mps":
        module.set_rng_state(states[0])
    else:
        module.set_rng_state_all(states)


def _module(device: str) -> Any:
    import torch

    return torch.get_device_module(device.partition(":")[0])
