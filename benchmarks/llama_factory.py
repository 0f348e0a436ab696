"""adapt compared with LLaMA-Factory: LoRA on SmolLM2, the same text, targets, rank, batches and steps.

    uv venv /tmp/llama-factory && VIRTUAL_ENV=/tmp/llama-factory uv pip install llamafactory
    python -m benchmarks.llama_factory --python /tmp/llama-factory/bin/python --data ../shared/data/tinyshakespeare

LLaMA-Factory wants older libraries, so it lives in an environment of its own. Both sides train on rows of 512
tokens (its pre-training stage cuts the texts, joined, into such rows; adapt packs whole texts into them), run as whole
processes at the same time on one core each and swap cores from pair to pair. Prints one JSON object: adapt over
LLaMA-Factory as median, least and greatest, rows a second of training and seconds of the process; the losses of both;
the versions of both. LLAMA_FACTORY_PYTHON may name the Python, too; without one the output says that it was left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.pairs import adapt_command, losses_of, side_by_side, spread
from benchmarks.peers.jobs import converted_smollm2

ROWS = 512
SHOWN = ("torch", "transformers", "peft", "datasets", "accelerate", "llamafactory")


def their_settings(model: str, texts: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return LLaMA-Factory's arguments."""
    (folder / "data").mkdir(parents=True)
    described = {"texts": {"file_name": str(texts), "columns": {"prompt": "text"}}}
    (folder / "data" / "dataset_info.json").write_text(json.dumps(described), encoding="utf-8")
    return {
        "stage": "pt",
        "do_train": True,
        "model_name_or_path": model,
        "dataset": "texts",
        "dataset_dir": str(folder / "data"),
        "cutoff_len": ROWS,
        "packing": True,
        "finetuning_type": "lora",
        "lora_rank": given.rank,
        "lora_alpha": 2 * given.rank,
        "lora_dropout": 0.0,
        "lora_target": "q_proj,v_proj",
        "output_dir": str(folder / "run"),
        "per_device_train_batch_size": given.batch_size,
        "gradient_accumulation_steps": 1,
        "disable_gradient_checkpointing": True,
        "learning_rate": given.lr,
        "lr_scheduler_type": "linear",
        "max_steps": given.steps,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "seed": 42,
        "max_grad_norm": 1.0,
    }


def our_config(model: str, data: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return the equivalent config of adapt."""
    return {
        "TASK": "text_generation",
        "method": "LoRA",
        "MODEL_PATH": model,
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(folder),
        "max_seq_length": ROWS,
        "r": given.rank,
        "alpha": 2 * given.rank,
        "dropout": 0,
        "target_modules": ["q_proj", "v_proj"],
        "BATCH_SIZE": given.batch_size,
        "LR": given.lr,
        "MAX_STEPS": given.steps,
        "LOGGING_STEPS": 1,
        "NUM_WORKERS": 0,
        "INTERVAL": "no",
        "DO_EVAL": False,
        "MERGE_ADAPTER": False,
    }


RUN = """
import json, sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
# It imports torchaudio, which text does not need and of which no release fits the newest torch.
sys.modules["torchaudio"] = ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)
from llamafactory.train.tuner import run_exp
from importlib.metadata import version
settings = json.loads(Path(sys.argv[1]).read_text())
run_exp(settings)
run = Path(settings["output_dir"])
told = json.loads((run / "train_results.json").read_text())
history = json.loads((run / "trainer_state.json").read_text())["log_history"]
print()
print(json.dumps({
    "samples_per_second": told["train_samples_per_second"],
    "losses": [line["loss"] for line in history if "loss" in line],
    "versions": {name: version(name) for name in SHOWN},
}))
"""


def pairs_of(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run the pairs; the first only warms the caches."""
    model = converted_smollm2(work / "base", given.data)
    rates, whole, losses = [], [], {}
    for number in range(given.pairs + 1):
        ours, theirs = work / f"adapt-{number}", work / f"llama-factory-{number}"
        settings = theirs.with_suffix(".json")
        told = their_settings(model, given.data / "train.jsonl", theirs, given)
        settings.write_text(json.dumps(told), encoding="utf-8")
        (mine, my_seconds), (other, their_seconds) = side_by_side(
            adapt_command(our_config(model, given.data, ours, given), ours),
            [str(given.python), "-c", f"SHOWN = {SHOWN}\n{RUN}", str(settings)],
            {**os.environ, "HF_DATASETS_CACHE": str(work / "cache")},
            number,
        )
        losses = {"adapt": losses_of(ours), "peer": other["losses"]}
        if number:
            rates.append(mine["samples_per_second"] / other["samples_per_second"])
            whole.append(my_seconds / their_seconds)
        print(json.dumps({"rates": rates, "whole": whole}), file=sys.stderr)
    return {
        "pairs": given.pairs,
        "steps": given.steps,
        "rows_per_second": spread(rates),
        "whole": spread(whole),
        "losses": losses,
        "versions": {"adapt": mine["versions"], "peer": other["versions"]},
    }


def main() -> None:
    """Run the chosen pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    theirs = os.environ.get("LLAMA_FACTORY_PYTHON")
    parser.add_argument("--python", type=Path, default=theirs, help="of an environment that has llamafactory")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    given = parser.parse_args()
    given.data = given.data.resolve()
    if given.python is None:
        print(json.dumps({"left_out": "llamafactory is not installed"}))
        return
    with tempfile.TemporaryDirectory() as work:
        print(json.dumps(pairs_of(given, Path(work)), indent=2))


if __name__ == "__main__":
    main()
