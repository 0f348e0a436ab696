"""Llama models of up to 1.1 billion parameters on one GPU: adapt and plain scripts, and every method, also under FSDP.

    python -m benchmarks.one_gpu --data ../shared/data/tinyshakespeare
    python -m benchmarks.one_gpu --data ../shared/data/tinyshakespeare --only QLoRA --only "plain QLoRA"    part of it

The models are built here, of random weights in bfloat16, with the shapes of known ones: 0.4 and 1.1 billion weights.
Training is in mixed precision (bfloat16), on packs of 512 tokens, 8 a step. First adapt is held against plain scripts
as `benchmarks.peers` does it, one after the other, for full, LoRA and QLoRA. Then each way of WAYS runs once: prints
for each, as a JSON object, samples a second, the greatest memory that the allocator gave out (MiB) and what
`adapt check` foretold, the loss of the first and the last five steps, and the launcher that the run had.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from adapt_core.testing import small_models
from benchmarks.pairs import Running, adapt_command, in_turn
from benchmarks.peers.__main__ import compared, losses
from benchmarks.peers.jobs import Job

MIB = 2**20
SIZES = {
    "small": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
    "large": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32},
}
"""0.4 billion weights, and TinyLlama's 1.1 (Zhang et al., 2024)."""
FOUR_BITS = {"load_in_4bit": True, "bnb_4bit_compute_dtype": "bfloat16"}
SHARDED = {"FSDP": True, "mixed_precision": "bf16"}
LORA = {"method": "LoRA", "dropout": 0.0}


def llama(sizes: dict[str, int], folder: Path, data: Path) -> None:
    """Save a Llama with random weights in bfloat16."""
    import torch

    texts = [json.loads(line)["text"] for line in (data / "train.jsonl").open(encoding="utf-8")]
    torch.set_default_dtype(torch.bfloat16)
    options = {"vocab_size": 32_000, "num_key_value_heads": 4, "max_position_embeddings": 2048, "dtype": "bfloat16"}
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        small_models.llama(folder, texts, **{**options, **sizes})
    torch.set_default_dtype(torch.float32)


def job(model: str, max_train: int, keys: Mapping[str, Any], settings: Mapping[str, Any]) -> Job:
    """Return text generation on packs of 512 tokens, with a saved model."""
    return Job(
        data="",
        plain="text_generation",
        model=lambda folder, data: model,
        lr=1e-4,
        batch_size=8,
        max_train=max_train,
        max_eval=32,
        keys={"TASK": "text_generation", "BF16": True, "max_seq_length": 512, **keys},
        settings={"packing": True, "max_length": 512, "shown": 3, "bf16": True, **settings},
    )


def pairs_of(models: Mapping[str, str], max_train: int) -> dict[str, Job]:
    """Return the jobs that are compared with a plain script."""
    frozen = {"dtype": "bfloat16", "lora": {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0}}
    return {
        "full": job(models["small"], max_train, {"method": "full"}, {}),
        "LoRA": job(models["large"], max_train, {**LORA, "DTYPE": "bfloat16"}, frozen),
        "QLoRA": job(
            models["large"], max_train, {**LORA, "DTYPE": "bfloat16", **FOUR_BITS}, {**frozen, "four_bits": True}
        ),
    }


WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("small", {"method": "full"}),
    "full, FSDP": ("small", {"method": "full", **SHARDED}),
    "LoRA": ("large", LORA),
    "LoRA, FSDP": ("large", {**LORA, **SHARDED}),
    "DoRA": ("large", {**LORA, "method": "DoRA"}),
    "SSF": ("large", {"method": "SSF"}),
    "QLoRA": ("large", {**LORA, **FOUR_BITS}),
    "QLoRA, FSDP": ("large", {**LORA, **FOUR_BITS, **SHARDED, "bnb_4bit_quant_storage": "bfloat16"}),
    "QLoRA, paged optimizer, gradient checkpointing": (
        "large",
        {**LORA, **FOUR_BITS, "OPTIMIZER": "paged_adamw_8bit", "GRADIENT_CHECKPOINTING": True},
    ),
    "QDoRA": ("large", {**LORA, **FOUR_BITS, "method": "DoRA"}),
    "Q-SSF": ("large", {**FOUR_BITS, "method": "SSF"}),
    "LoRA, 8 bits": ("large", {**LORA, "load_in_8bit": True}),
}
"""Way -> the model's size, and what differs in the config. Frozen weights are held in bfloat16."""


def ran(way: str, model: str, data: Path, folder: Path, max_train: int) -> dict[str, Any]:
    """Run one way once, in its own process."""
    from adapt_core import api

    _, keys = WAYS[way]
    dtype = {} if keys["method"] == "full" else {"DTYPE": "bfloat16"}
    config = job(model, max_train, {**dtype, **keys}, {}).config(model, data, folder)
    foretold = api.estimate(api.check(config)).memory
    result, _ = Running(adapt_command(config, folder), dict(os.environ)).outcome()
    logged = losses(folder)
    return {
        "way": way,
        "samples_per_second": round(result["samples_per_second"], 2),
        "peak_mib": round(result["peak_memory_bytes"] / MIB),
        "foretold_mib": None if foretold is None else round(foretold.total / MIB),
        "steps": len(logged),
        "first_loss": round(logged[0], 4),
        "last_losses": round(mean(logged[-5:]), 4),
        "launcher": result["launcher"],
    }


def main() -> None:
    """Print the GPU, then the pairs, then the ways."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of train.jsonl and validation.jsonl")
    parser.add_argument("--pairs", type=int, default=5, help="with each plain script; 0: one, without a ratio")
    parser.add_argument("--only", action="append", default=[], help="a way, or plain and a pair; may be repeated")
    parser.add_argument("--max-train", type=int, default=600, help="documents")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("this needs a GPU.")
    print(json.dumps({"card": torch.cuda.get_device_name()}), flush=True)
    data = given.data.resolve()
    wanted = set(given.only)
    with tempfile.TemporaryDirectory() as name:
        models = {}
        for size, sizes in SIZES.items():
            models[size] = str(Path(name, size))
            llama(sizes, Path(models[size]), data)
        for pair, compared_job in pairs_of(models, given.max_train).items():
            if not wanted or f"plain {pair}" in wanted:
                report = compared(compared_job, data, given.pairs, in_turn)
                print(json.dumps({"beside_plain": pair, **report}), flush=True)
        for number, (way, (size, _)) in enumerate(WAYS.items()):
            if not wanted or way in wanted:
                folder = Path(name, f"way-{number}")
                print(json.dumps(ran(way, models[size], data, folder, given.max_train)), flush=True)
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
