"""Size on disk of each adapter, relative to the whole model.

    python -m benchmarks.adapter_sizes

Adapts the packaged MiniLM to the inbox for one step with each method's defaults and prints one JSON object.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import adapt_core

ROOT = Path(__file__).parent.parent
METHODS: dict[str, dict[str, Any]] = {
    "LoRA": {"method": "LoRA"},
    "DoRA": {"method": "DoRA"},
    "SSF": {"method": "SSF"},
    "IA3": {"method": "peft", "peft_name": "IA3"},
}


def main() -> None:
    """Run each method and print the sizes of its adapter and of the merged model."""
    report = {}
    for name, keys in METHODS.items():
        with tempfile.TemporaryDirectory() as folder:
            changes = {
                **keys,
                "OUTPUT_DIR": f"{folder}/run",
                "CUSTOM_DATASET_PATH": f"{ROOT}/examples/inbox",
                "MAX_TRAIN_SAMPLES": 16,
                "MAX_STEPS": 1,
                "DO_EVAL": False,
                "KEEP": "last",
            }
            overrides = [f"{key}={value}" for key, value in changes.items()]
            sizes = adapt_core.run(ROOT / "examples" / "inbox.yaml", overrides=overrides).artifact_bytes
        report[name] = {"bytes": sizes["adapter"], "over the model": round(sizes["adapter"] / sizes["model"], 5)}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
