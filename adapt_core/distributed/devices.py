"""Which device a process uses, and what that device can do."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import runpy
import sys
from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.plugin.import_strings import package_folder

log = logging.getLogger(__name__)


def choose_gpus(cuda_id: str | None) -> None:
    """Make only the GPUs of `cuda_id` visible. Must come before CUDA is initialised.

    Warns where there is no GPU; an outer CUDA_VISIBLE_DEVICES is obeyed and cuda_id then ignored, with a warning.
    """
    if cuda_id is None:
        return
    if os.environ.get("CUDA_VISIBLE_DEVICES") not in (None, cuda_id):
        log.warning(
            "cuda_id %s is ignored: CUDA_VISIBLE_DEVICES is set to %r.", cuda_id, os.environ["CUDA_VISIBLE_DEVICES"]
        )
        return
    os.environ["CUDA_VISIBLE_DEVICES"] = cuda_id
    if not has_gpu():
        log.warning("cuda_id %s has no effect: no GPU is visible; the CPU is used.", cuda_id)


def has_gpu() -> bool:
    """Return whether torch can use a GPU. Imports torch."""
    import torch

    return torch.cuda.is_available()


def may_have_gpu() -> bool:
    """Return False where torch has no GPU to use: it was built without, or no driver is installed. Imports no torch."""
    folder = package_folder("torch")
    if folder is None or not (folder / "version.py").is_file():
        return True
    build = runpy.run_path(str(folder / "version.py"))
    if build.get("hip"):
        return True
    if not build.get("cuda"):
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")  # the library that torch opens
    except OSError:
        return False
    return True


def torch_fault() -> str | None:
    """Return why torch's library cannot be loaded, or None. Imports no torch."""
    folder = package_folder("torch")
    library = None if folder is None else folder / "lib" / "libtorch_cpu.so"
    if library is None or not library.is_file():
        return None
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error)
    return None


def first_device() -> str:
    """Return "cuda:0" where a GPU is visible, else "cpu"."""
    return "cuda:0" if has_gpu() else "cpu"


_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container's limit stands (cgroup v2 and v1)."""


def memory_bytes() -> int:
    """Return the memory that this machine, or the container around this process, allows, in bytes."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _MEMORY_LIMITS:
        text = file.read_text().strip() if file.is_file() else ""
        if text.isdecimal():  # "max" where there is no limit
            limits.append(int(text))
    return min(limits)


def refuse_impossible_precision(plan: Plan, device: str) -> None:
    """Refuse a precision that the device cannot train in.

    Raises:
        InputError: FP16 on a CPU (there is no gradient scaling for float16 there), or BF16 on a GPU without it.
    """
    import torch

    training = plan.training
    if training.fp16 and not device.startswith("cuda"):
        raise InputError(
            "FP16: float16 mixed precision needs a GPU, and this run is on the CPU. Set FP16: false, or BF16: true "
            "where the processor has bfloat16 instructions (adapt check says)."
        )
    if training.bf16 and device.startswith("cuda") and not torch.cuda.is_bf16_supported():
        raise InputError(f"BF16: {torch.cuda.get_device_name()} has no bfloat16. Set FP16: true or BF16: false.")


def peak_memory_bytes(device: str) -> int:
    """Return the peak memory of this process: allocated on the GPU, or resident on the CPU, in bytes."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
