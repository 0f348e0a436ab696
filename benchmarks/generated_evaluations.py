"""The share of a run that evaluations take to answer rows (GENERATE_IN_EVALUATION), by default and of given rows.

    python -m benchmarks.generated_evaluations --data ../shared/data/alpaca_demo --pairs 3

A causal language model trains on prompts with answers, once without answered evaluations and once with, in turn
(A B A B ...), in processes of their own. Prints one JSON object: the rows that were answered, and the seconds of the
training phase (evaluations during training included), of the whole command, and of the processor for it (which other
work on the machine moves least), with over without, as median, least and greatest over the pairs. The default promises
at most 1.1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from adapt_core.testing import small_models
from benchmarks.pairs import adapt_command, spread
from benchmarks.targets import with_targets

ROOT = Path(__file__).parent.parent
_ANSWERS = re.compile(r"each evaluation answers up to (\d+) rows")


SIDES = ("training", "command", "processor")


def measured(keys: dict[str, Any], folder: Path) -> tuple[dict[str, float], int]:
    """Return the seconds of each of SIDES, and the rows that each evaluation answered."""
    keys = {**keys, "OUTPUT_DIR": str(folder)}
    started, used = time.monotonic(), _processor_seconds()
    subprocess.run(adapt_command(keys, folder), check=True, capture_output=True, env=dict(os.environ))
    seconds, used = time.monotonic() - started, _processor_seconds() - used
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    found = _ANSWERS.search((folder / "log.txt").read_text(encoding="utf-8"))
    of_sides = {"training": float(result["train_seconds"]), "command": seconds, "processor": used}
    return of_sides, int(found[1]) if found else 0


def _processor_seconds() -> float:
    """Return what the processes that have ended took of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run the pairs and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "alpaca_demo")
    parser.add_argument("--model", help="a folder; by default a new Llama of 8 layers, 256 wide")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--train", type=int, default=900, help="training rows")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rows", type=int, help="GENERATE_IN_EVALUATION (default: adapt's own)")
    parser.add_argument("--set", nargs="*", default=[], help="further keys, as KEY=VALUE")
    given = parser.parse_args()
    ratios: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = given.model or str(_llama(folder / "model", given.data))
        keys = {
            "TASK": "text_generation",
            "MODEL_PATH": model,
            "CUSTOM_DATASET_PATH": str(given.data),
            "MAX_TRAIN_SAMPLES": given.train,
            "MAX_EVAL_SAMPLES": 100,
            "EPOCHS": given.epochs,
            "BATCH_SIZE": 8,
            "max_new_tokens": 64,
            "NUM_WORKERS": 0,
            **dict(one.split("=", 1) for one in given.set),
        }
        answered = 0
        for pair in range(given.pairs):
            without, _ = measured({**keys, "GENERATE_IN_EVALUATION": 0}, folder / f"without-{pair}")
            of_rows = {} if given.rows is None else {"GENERATE_IN_EVALUATION": given.rows}
            with_rows, answered = measured({**keys, **of_rows}, folder / f"with-{pair}")
            for side in SIDES:
                ratios[side].append(with_rows[side] / without[side])
    comparison = {side: spread(values) for side, values in ratios.items()}
    told = {"pairs": given.pairs, "rows": answered, "with / without": comparison, "each pair": ratios}
    print(json.dumps(with_targets("generated evaluations", told), indent=1))


def _llama(folder: Path, data: Path) -> Path:
    files = [path for path in sorted(data.rglob("*.json*")) if path.is_file()]
    texts = [path.read_text(encoding="utf-8")[:200_000] for path in files[:3]]
    sizes = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 8, "num_attention_heads": 8}
    return small_models.llama(folder, texts, **sizes, num_key_value_heads=4, max_position_embeddings=512)


if __name__ == "__main__":
    main()
