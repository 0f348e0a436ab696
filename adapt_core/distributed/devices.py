"""Which device a process uses, and what that device can do."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import resource
import runpy
import sys
from pathlib import Path

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.nn.accelerators import (
    NAMES,
    SHARES_MEMORY,
    accelerator,
    device_name,
    peak_allocated,
)
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
    found = accelerator()
    if found != "cuda":
        used = "the CPU" if found is None else NAMES.get(found, found)
        log.warning("cuda_id %s has no effect: no GPU is visible; %s is used.", cuda_id, used)


def may_have_gpu() -> bool:
    """Return False where torch has no GPU to use: it was built without, or no driver is installed. Imports no torch."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    folder = package_folder("torch")
    if folder is None or not (folder / "version.py").is_file():
        return True
    build = runpy.run_path(str(folder / "version.py"))
    if build.get("hip") or build.get("xpu"):
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


def first_device(plan: Plan) -> str:
    """Return where one process of a plan computes, by DEVICE: "cuda:0", "xpu:0" or "mps" where it is there, or "cpu".

    Where DEVICE leaves the choice, an accelerator that the plan's training loop cannot use is passed over. Imports
    torch, unless DEVICE is the CPU.

    Raises:
        InputError: DEVICE asks for what is not here, or what the loop cannot use.
    """
    wanted = plan.run.device
    if wanted == "cpu":
        return "cpu"
    found = accelerator()
    usable = plan.accelerators is None or found in plan.accelerators
    if wanted == "auto":
        return "cpu" if found is None or not usable else device_name(found, 0)
    if found != wanted:
        here = "only the CPU" if found is None else NAMES.get(found, found)
        raise InputError(
            f"DEVICE: torch sees {here} here, and no {wanted}. Set DEVICE: auto, or install torch's build for it."
        )
    if not usable:
        raise InputError(
            f"DEVICE: {plan.task.name} trains with operators that have no kernels for {wanted}. Set DEVICE: cpu."
        )
    return device_name(found, 0)


def device_here(plan: Plan) -> str:
    """Return where the model of a finished run computes: as in `first_device`, by DEVICE only where that is here."""
    if plan.run.device in ("auto", "cpu", accelerator()):
        return first_device(plan)
    return first_device(attrs.evolve(plan, run=attrs.evolve(plan.run, device="auto")))


def device_remark(plan: Plan, device: str) -> str | None:
    """Return what a user should know of the device that was chosen: that a present accelerator is passed over."""
    if device != "cpu" or plan.run.device != "auto":
        return None
    found = accelerator()
    if found is None or plan.accelerators is None or found in plan.accelerators:
        return None
    return f"{NAMES.get(found, found)} is not used: {plan.task.name} trains with operators that have no kernels for it."


_MEMORY_FILES = (
    (Path("/sys/fs/cgroup/memory.max"), "memory.current", "inactive_file"),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), "memory.usage_in_bytes", "total_inactive_file"),
)
"""Where a container's limit stands (cgroup v2 and v1), beside it what is used, and in memory.stat how much of that
gives way: the cache of files."""


def memory_bytes() -> int:
    """Return the memory that this machine, or the container around this process, allows, in bytes."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file, _, _ in _MEMORY_FILES:
        text = file.read_text().strip() if file.is_file() else ""
        if text.isdecimal():  # "max" where there is no limit
            limits.append(int(text))
    return min(limits)


def free_memory_bytes() -> int:
    """Return the bytes that new allocations can have, on this machine and in the container around this process."""
    import psutil

    free = [int(psutil.virtual_memory().available)]
    for file, used, giving_way in _MEMORY_FILES:
        text = file.read_text().strip() if file.is_file() else ""
        if text.isdecimal():
            lines = (file.parent / "memory.stat").read_text().splitlines()
            cached = sum(int(line.split()[1]) for line in lines if line.split()[0] == giving_way)
            free.append(int(text) - int((file.parent / used).read_text()) + cached)
    return max(min(free), 0)


def refuse_impossible_precision(plan: Plan, device: str) -> None:
    """Refuse a precision that the device cannot train in.

    Raises:
        InputError: FP16 on a CPU (there is no gradient scaling for float16 there), or BF16 on an accelerator without.
    """
    training = plan.training
    if training.fp16 and device == "cpu":
        raise InputError(
            "FP16: float16 mixed precision needs a GPU, and this run is on the CPU. Set FP16: false, or BF16: true "
            "where the processor has bfloat16 instructions (adapt check says)."
        )
    if training.bf16 and device != "cpu" and not _has_bfloat16(device):
        raise InputError(f"BF16: {device} has no bfloat16. Set FP16: true or BF16: false.")


def _has_bfloat16(device: str) -> bool:
    """Whether a device multiplies in bfloat16. GPUs of NVIDIA older than Ampere do so by emulation, and slowly."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    try:
        ones = torch.ones(2, 2, dtype=torch.bfloat16, device=device)
        (ones @ ones).cpu()
    except (RuntimeError, TypeError) as error:
        log.debug("bfloat16 on %s: %s", device, error)
        return False
    return True


def peak_memory_bytes(device: str) -> int:
    """Return the peak memory of this process in bytes: allocated on the accelerator, or resident where it shares it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resident = peak if sys.platform == "darwin" else peak * 1024
    if device == "cpu":
        return resident
    return max(resident, peak_allocated(device)) if device in SHARES_MEMORY else peak_allocated(device)
