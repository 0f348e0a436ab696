"""Cost of the training check, relative to the training phase of a real run.

    python -m benchmarks.training_check

Adapts the pretrained MiniLM to the inbox for one epoch with `full` and with `last_layer`, with every method of the
check timed from outside. Prints one JSON object; the check is held to stay below 0.01.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import adapt_core
from adapt_core.verification.training import TrainingCheck

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Measure and print."""
    spent = 0.0

    def timed(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal spent
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent += time.perf_counter() - start

        return call

    for name in ("__init__", "begin", "see_gradients", "see_loss", "stepped", "verdict"):
        setattr(TrainingCheck, name, timed(getattr(TrainingCheck, name)))
    report = {}
    for method in ("full", "last_layer"):
        spent = 0.0
        with tempfile.TemporaryDirectory() as folder:
            changes = [
                "EPOCHS=1",
                f"method={method}",
                f"OUTPUT_DIR={folder}/run",
                f"CUSTOM_DATASET_PATH={ROOT}/examples/inbox",
            ]
            result = adapt_core.run(ROOT / "examples" / "inbox.yaml", overrides=changes)
        report[method] = {
            "check_seconds": round(spent, 4),
            "train_seconds": result.train_seconds,
            "share": round(spent / result.train_seconds, 5),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
