"""The parameters of the launcher ray. Imports nothing heavy."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class RayParams:
    """Parameters of the launcher ray: those of ddp by their names, and Ray's own."""

    num_processes: int | None = param(
        None, "Processes of the run (default: one for each GPU that Ray has; 2 on CPUs).", ge=1
    )
    use_cpu: bool = param(False, "Run on CPUs (over gloo) even where there are GPUs.")
    mixed_precision: str | None = param(
        None,
        "Mixed precision, by accelerate's name for it (default: follow BF16 and FP16).",
        choices=("no", "fp16", "bf16"),
    )
    collective_timeout: float = param(
        1800.0, "Seconds that a process waits for the others in one collective operation (torch's own default).", gt=0
    )
    ray_address: str | None = param(
        None,
        "The Ray cluster: HOST:PORT of its head, or auto for the one that this machine belongs to (default: a Ray on "
        "this machine alone, for the time of the run).",
    )
    resources_per_worker: dict[str, object] | None = param(
        None,
        "What Ray reserves for each process: {CPU: 4, GPU: 1, memory: 8000000000}, or resources of your own (default: "
        "the cores of this machine shared, 1 CPU on a cluster, and a GPU where there are any).",
    )
    ray_storage_path: str | None = param(
        None,
        "Keep the run folder here too: checkpoints as they are written, the result at the end. A folder, or a URL of "
        "fsspec (s3://bucket/runs); --resume goes on from there where OUTPUT_DIR is empty.",
        may_change_on_resume=True,
    )
