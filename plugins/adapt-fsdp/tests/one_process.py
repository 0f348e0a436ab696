"""The run of one process that a run of several is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import adapt_core
from adapt_core.result import RunResult

OF_SEVERAL = ("DDP", "FSDP", "num_processes", "use_cpu", "collective_timeout")


def alone(keys: dict[str, Any], folder: Path, **changes: Any) -> RunResult:
    """The same keys in this process, with the global batch of two."""
    plain = {key: value for key, value in keys.items() if key not in OF_SEVERAL}
    batch = {"BATCH_SIZE": 2 * keys["BATCH_SIZE"], "EVAL_BATCH_SIZE": keys["BATCH_SIZE"]}
    return adapt_core.run({**plain, **batch, "OUTPUT_DIR": str(folder), **changes})
