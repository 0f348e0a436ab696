"""GPUs and processes of this machine."""

from __future__ import annotations

from adapt_fsdp.params import ProcessParams

PROCESSES_ON_A_CPU = 2


def device_count(params: ProcessParams) -> int:
    """Return the number of GPUs that this machine's processes may use; 0 means the CPU."""
    import torch

    return 0 if params.use_cpu else torch.cuda.device_count()


def process_count(params: ProcessParams) -> int:
    """Return the number of this machine's processes."""
    return params.num_processes or device_count(params) or PROCESSES_ON_A_CPU
