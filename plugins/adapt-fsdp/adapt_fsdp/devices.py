"""Accelerators and processes of this machine."""

from __future__ import annotations

from adapt_fsdp.params import ProcessParams

PROCESSES_ON_A_CPU = 2


def device_count(params: ProcessParams) -> int:
    """Return the number of accelerators that this machine's processes may use; 0 means the CPU.

    Apple's counts as none: torch has no collective operations for it.
    """
    from adapt_core.nn.accelerators import accelerator, accelerator_count

    return 0 if params.use_cpu or accelerator() in (None, "mps") else accelerator_count()


def local_device(params: ProcessParams, number: int) -> str:
    """Return the device of this machine's process of this number: an accelerator of its own, or the CPU."""
    from adapt_core.nn.accelerators import accelerator, device_name

    kind = accelerator()
    return device_name(kind, number) if kind is not None and device_count(params) else "cpu"


def process_count(params: ProcessParams) -> int:
    """Return the number of this machine's processes."""
    return params.num_processes or device_count(params) or PROCESSES_ON_A_CPU
