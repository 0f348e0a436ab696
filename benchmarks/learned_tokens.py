"""Processor time of a training step and peak memory of SmolLM2, adapt over its peers, on the same batches.

    python -m benchmarks.learned_tokens --data ../shared/data/tinyshakespeare [--row ROW] [--pairs 5]
    uv venv /tmp/llama-factory && VIRTUAL_ENV=/tmp/llama-factory uv pip install llamafactory
    python -m benchmarks.learned_tokens --data ... --llama-factory /tmp/llama-factory/bin/python

Rows: full fine-tuning of all tokens, 8 packs of 512, against transformers; LoRA on texts whose second half is learned,
4 packs of 512, against transformers + peft, trl's SFTTrainer (pip install trl) and, where --llama-factory names a
Python that has it, LLaMA-Factory; both with RECOMPUTE_MLP, which the peers do not have; LoRA on all tokens, layers
recomputed on both sides (GRADIENT_CHECKPOINTING), against transformers + peft. A row whose peer is not installed is
left out, and its JSON object says so. The peers' Pythons may be named by LLAMA_FACTORY_PYTHON and TRL_PYTHON, too.

Both sides of a pair run at the same time as whole processes, with one thread on one core each, and swap cores from pair
to pair; the first pair warms the caches. Prints a JSON object for each row: the ratios of the processor time of a step
(the median of a run's) and of the peak memory of the process as median, least and greatest over the pairs, the targets
of both, and the greatest relative difference of a loss (LLaMA-Factory makes rows of its own, so there is none).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.llama_factory import RUN, SHOWN
from benchmarks.pairs import Outcome, losses_of, side_by_side, spread
from benchmarks.peers.jobs import converted_smollm2
from benchmarks.targets import with_targets

ROOT = Path(__file__).parent.parent
LENGTH = 512
RANK = 8
TARGETS = ["q_proj", "v_proj"]
ROWS: dict[str, tuple[str, str]] = {
    "full, 8 x 512, over transformers": ("full", "transformers"),
    "LoRA, half learned, over transformers and peft": ("LoRA", "transformers"),
    "LoRA, half learned, over trl": ("LoRA", "trl"),
    "LoRA, half learned, over LLaMA-Factory": ("LoRA", "llamafactory"),
    "full, 8 x 512, MLP recomputed, over transformers": ("full, MLP recomputed", "transformers"),
    "LoRA, half learned, MLP recomputed, over transformers and peft": ("LoRA, MLP recomputed", "transformers"),
    "LoRA, half learned, MLP recomputed, over LLaMA-Factory": ("LoRA, MLP recomputed", "llamafactory"),
    "LoRA, recomputed, over transformers and peft": ("LoRA, recomputed", "transformers"),
}
"""By name: method, peer."""


def halves(data: Path, folder: Path) -> Path:
    """Write the texts as a prompt and a completion of the same length, and return their folder."""
    folder.mkdir(exist_ok=True)
    texts = [json.loads(line)["text"] for line in (data / "train.jsonl").open(encoding="utf-8")]
    cut = [(text, len(text) // 2) for text in texts]
    pairs = [json.dumps({"prompt": text[:half], "completion": text[half:]}) for text, half in cut if half]
    (folder / "train.jsonl").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    return folder


def our_config(method: str, model: str, data: Path, folder: Path, steps: int) -> dict[str, Any]:
    """Return adapt's config."""
    full = method.startswith("full")
    lora = {"r": RANK, "alpha": 2 * RANK, "dropout": 0, "target_modules": TARGETS, "MERGE_ADAPTER": False}
    return {
        "TASK": "text_generation",
        "method": "full" if full else "LoRA",
        "GRADIENT_CHECKPOINTING": method == "LoRA, recomputed",
        "RECOMPUTE_MLP": method.endswith("MLP recomputed"),
        "MODEL_PATH": model,
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(folder),
        "max_seq_length": LENGTH,
        "BATCH_SIZE": 8 if full else 4,
        "LR": 5e-5,
        "MAX_STEPS": steps,
        "LOGGING_STEPS": 1,
        "NUM_WORKERS": 0,
        "INTERVAL": "no",
        "DO_EVAL": False,
        **({} if full else lora),
    }


def llama_factory_settings(config: dict[str, Any], texts: Path, folder: Path) -> dict[str, Any]:
    """Return LLaMA-Factory's arguments: supervised fine-tuning of the completions, packed."""
    described = {"texts": {"file_name": str(texts), "columns": {"prompt": "prompt", "response": "completion"}}}
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "dataset_info.json").write_text(json.dumps(described), encoding="utf-8")
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": config["MODEL_PATH"],
        "dataset": "texts",
        "dataset_dir": str(folder / "data"),
        "template": "empty",
        "cutoff_len": LENGTH,
        "packing": True,
        "finetuning_type": "lora",
        "lora_rank": RANK,
        "lora_alpha": 2 * RANK,
        "lora_dropout": 0.0,
        "lora_target": ",".join(TARGETS),
        "output_dir": str(folder / "run"),
        "per_device_train_batch_size": config["BATCH_SIZE"],
        "gradient_accumulation_steps": 1,
        "disable_gradient_checkpointing": True,
        "learning_rate": config["LR"],
        "max_steps": config["MAX_STEPS"],
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "seed": 42,
    }


def watched_command(config: dict[str, Any], folder: Path) -> list[str]:
    """Write a config beside its run folder, and return the command that runs it and notes its costs there."""
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(config), encoding="utf-8")
    watched = [sys.executable, "-m", "benchmarks.step_costs", str(folder.with_suffix(".notes"))]
    return [*watched, "adapt_core", "run", str(file), "--json"]


def watched_env(work: Path) -> dict[str, str]:
    """Return the environment of watched commands, with the cache of tokenized rows in a folder."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return env | {"HF_DATASETS_CACHE": str(work / "cache"), "TOKENIZERS_PARALLELISM": "false"}


def peer_command(peer: str, python: str, config: dict[str, Any], folder: Path) -> list[str]:
    """Return the peer's command; it writes notes beside its folder."""
    watched = [python, "-m", "benchmarks.step_costs", str(folder.with_suffix(".notes"))]
    settings = folder.with_suffix(".json")
    if peer != "llamafactory":
        settings.write_text(json.dumps(config), encoding="utf-8")
        return [*watched, "benchmarks.plain.learned_tokens", str(settings), str(folder), peer]
    texts = Path(config["CUSTOM_DATASET_PATH"]) / "train.jsonl"
    settings.write_text(json.dumps(llama_factory_settings(config, texts, folder)), encoding="utf-8")
    program = folder.with_suffix(".py")
    program.write_text(f"SHOWN = {SHOWN}\n{RUN}", encoding="utf-8")
    return [*watched, str(program), str(settings)]


def costs(folder: Path) -> tuple[float, float]:
    """Return the processor time of a step and the peak memory that a side noted."""
    notes = json.loads(folder.with_suffix(".notes").read_text(encoding="utf-8"))
    return statistics.median(notes["steps"]), float(notes["peak_bytes"])


def difference(ours: list[float], theirs: Outcome) -> float:
    """Return the greatest relative difference of a loss."""
    losses: list[float] = theirs[0]["losses"]
    return max(abs(a - b) / abs(b) for a, b in zip(ours, losses, strict=True))


def compared(row: str, python: str, given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run the pairs of a row."""
    method, peer = ROWS[row]
    model = converted_smollm2(work / "base", given.data)
    data = halves(given.data, work / "halves") if method in ("LoRA", "LoRA, MLP recomputed") else given.data
    env = watched_env(work)
    seconds, memory, differences, theirs = [], [], [0.0], None
    for number in range(given.pairs + 1):
        ours, other = work / f"adapt-{peer}-{number}", work / f"{peer}-{number}"
        config = our_config(method, model, data, ours, given.steps)
        _, theirs = side_by_side(watched_command(config, ours), peer_command(peer, python, config, other), env, number)
        if peer != "llamafactory":
            differences.append(difference(losses_of(ours), theirs))
        (my_seconds, my_bytes), (their_seconds, their_bytes) = costs(ours), costs(other)
        if number or not given.pairs:
            seconds.append(my_seconds / their_seconds)
            memory.append(my_bytes / their_bytes)
        print(json.dumps({"row": row, "seconds": seconds, "memory": memory}), file=sys.stderr, flush=True)
    assert theirs is not None
    return {
        "row": row,
        "pairs": given.pairs,
        "steps": given.steps,
        "processor_time_of_a_step": spread(seconds),
        "peak_memory": spread(memory),
        **({} if peer == "llamafactory" else {"greatest_difference_of_losses": max(differences)}),
        "versions": theirs[0]["versions"],
    }


def main() -> None:
    """Run the chosen rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of texts")
    parser.add_argument("--row", action="append", choices=list(ROWS), help="may be repeated; default: all")
    parser.add_argument("--pairs", type=int, default=5, help="0: one pair, which warms nothing")
    parser.add_argument("--steps", type=int, default=4)
    theirs, trls = os.environ.get("LLAMA_FACTORY_PYTHON"), os.environ.get("TRL_PYTHON", sys.executable)
    parser.add_argument("--llama-factory", default=theirs, help="a Python that has llamafactory")
    parser.add_argument("--trl", default=trls, help="a Python that has trl and adapt; default: this one")
    given = parser.parse_args()
    given.data = given.data.resolve()
    for row in given.row or ROWS:
        peer = ROWS[row][1]
        python = {"llamafactory": given.llama_factory, "trl": given.trl}.get(peer, sys.executable)
        if python is None or (python == sys.executable and find_spec(peer) is None):
            print(json.dumps({"row": row, "left_out": f"{peer} is not installed"}), flush=True)
            continue
        with tempfile.TemporaryDirectory() as work:
            told = compared(row, python, given, Path(work))
            print(json.dumps(with_targets(f"learned_tokens: {row}", told)), flush=True)


if __name__ == "__main__":
    main()
