"""Llama models of up to 1.1 billion parameters on one GPU: adapt and plain scripts, and every method, also under FSDP.

    python -m benchmarks.one_gpu --data ../shared/data/tinyshakespeare
    python -m benchmarks.one_gpu --data ../shared/data/tinyshakespeare --only "QLoRA over trl"    part of it
    python -m benchmarks.one_gpu --data ../shared/data/tinyshakespeare --dry-run    whether it works, on a CPU

The models are built here, of random weights in bfloat16, with the shapes of known ones: 0.4 and 1.1 billion weights.
Training is in mixed precision (bfloat16), on packs of 512 tokens, 8 a step. First LoRA and QLoRA, on texts whose second
half is learned, are held against transformers + peft and against trl's SFTTrainer on the same batches, one after the
other (as `benchmarks.learned_tokens` does on a CPU; TRL_PYTHON may name the Python that has trl and adapt): rows a
second and the greatest memory that the allocator gave out, adapt over the peer. Then it is held against plain scripts
as `benchmarks.peers` does it, for full, LoRA and QLoRA. Then each way of WAYS runs once: prints
for each, as a JSON object, samples a second, the greatest memory that the allocator gave out (MiB) and what
`adapt check` foretold, the loss of the first and the last five steps, and the launcher that the run had.

--dry-run does all but what needs a GPU (4 and 8 bits, FSDP) with small models in float32. Without a GPU the output says
that the rest was left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

import attrs

from adapt_core.testing import small_models
from benchmarks.learned_tokens import difference, halves, our_config
from benchmarks.pairs import Running, adapt_command, in_turn, losses_of, spread
from benchmarks.peers.__main__ import compared
from benchmarks.peers.jobs import Job
from benchmarks.targets import with_targets

MIB = 2**20
SIZES = {
    "small": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
    "large": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32},
}
"""0.4 billion weights, and TinyLlama's 1.1 (Zhang et al., 2024)."""
SMALLEST = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
"""Of a dry run."""
FOUR_BITS = {"load_in_4bit": True, "bnb_4bit_compute_dtype": "bfloat16"}
PRECISION = {"BF16": True, "DTYPE": "bfloat16"}
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


PEERS = {f"{method} over {peer}": (method, peer) for method in ("LoRA", "QLoRA") for peer in ("transformers", "trl")}
"""What is compared on the same batches: method and peer."""


def beside(pair: str, model: str, given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run the pairs of a method and a peer; the first only warms."""
    method, peer = PEERS[pair]
    python = os.environ.get("TRL_PYTHON", sys.executable) if peer == "trl" else sys.executable
    if python == sys.executable and find_spec(peer) is None:
        return {"beside": pair, "left_out": f"{peer} is not installed"}
    data = halves(given.data, work / "halves")
    rates, memory, differences, told = [], [], [], {}
    for number in range(given.pairs + 1):
        ours, theirs = work / f"{method}-{number}", work / f"{peer}-{number}"
        config = our_config("LoRA", model, data, ours, given.steps)
        config |= {"BATCH_SIZE": 8} if given.dry_run else {"BATCH_SIZE": 8, **PRECISION}
        config |= FOUR_BITS if method == "QLoRA" else {}
        settings = theirs.with_suffix(".json")
        settings.write_text(json.dumps(config), encoding="utf-8")
        command = [python, "-m", "benchmarks.plain.learned_tokens", str(settings), str(theirs), peer]
        (result, _), other = in_turn(adapt_command(config, ours), command, dict(os.environ), number)
        told = other[0]
        differences.append(difference(losses_of(ours), other))
        if number or not given.pairs:
            rates.append(result["samples_per_second"] / told["samples_per_second"])
            memory.append(result["peak_memory_bytes"] / told["peak_memory_bytes"])
    return {
        "beside": pair,
        "pairs": given.pairs,
        "steps": given.steps,
        "tokens_per_second": spread(rates),
        "peak_memory": spread(memory),
        "greatest_difference_of_losses": max(differences),
        "versions": told["versions"],
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
    logged = losses_of(folder)
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


def dry(compared_job: Job) -> Job:
    """Return a job in float32 with small batches."""
    keys = {key: value for key, value in compared_job.keys.items() if key not in PRECISION}
    settings = {name: value for name, value in compared_job.settings.items() if name not in ("bf16", "dtype")}
    return attrs.evolve(compared_job, keys=keys, settings=settings, batch_size=2, max_eval=4)


def main() -> None:
    """Print the GPU, then the pairs with peers, the pairs with plain scripts, and the ways."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of train.jsonl and validation.jsonl")
    parser.add_argument("--pairs", type=int, default=5, help="with each peer and script; 0: one, which warms nothing")
    parser.add_argument("--steps", type=int, default=30, help="with each peer")
    parser.add_argument("--only", action="append", default=[], help="a way, METHOD over PEER, or plain METHOD")
    parser.add_argument("--max-train", type=int, default=600, help="documents")
    parser.add_argument("--dry-run", action="store_true", help="small models in float32, on a CPU too")
    given = parser.parse_args()
    if not torch.cuda.is_available() and not given.dry_run:
        print(json.dumps({"left_out": "no GPU could be had"}))
        return
    print(json.dumps({"card": torch.cuda.get_device_name() if torch.cuda.is_available() else "none"}), flush=True)
    given.data = given.data.resolve()
    with tempfile.TemporaryDirectory() as name:
        models = {}
        for size, sizes in SIZES.items():
            models[size] = str(Path(name, size))
            llama(SMALLEST if given.dry_run else sizes, Path(models[size]), given.data)
        for told in measured(models, given, Path(name)):
            # What a dry run measures is of other models, and meets or misses no target.
            told = {"dry_run": told} if given.dry_run else with_targets("one_gpu", told)
            print(json.dumps(told), flush=True)


def measured(models: Mapping[str, str], given: argparse.Namespace, work: Path) -> Iterator[dict[str, Any]]:
    """Yield what is told of each wanted pair and way; in a dry run of those that need no GPU."""

    def wanted(name: str, kind: str) -> bool:
        return (not given.only or name in given.only) and not (given.dry_run and kind not in ("full", "LoRA"))

    for pair, (method, _) in PEERS.items():
        if wanted(pair, method):
            folder = work / pair.replace(" ", "-")
            folder.mkdir()
            yield beside(pair, models["large"], given, folder)
    for pair, compared_job in pairs_of(models, given.max_train).items():
        if wanted(f"plain {pair}", pair):
            made = dry(compared_job) if given.dry_run else compared_job
            yield {"beside_plain": pair, **compared(made, given.data, given.pairs, in_turn)}
    for number, (way, (size, _)) in enumerate(WAYS.items()):
        if wanted(way, "" if given.dry_run else way):
            folder = work / f"way-{number}"
            yield ran(way, models[size], given.data, folder, given.max_train)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
