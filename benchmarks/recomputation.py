"""GRADIENT_CHECKPOINTING, KEEP_ATTENTION and RECOMPUTE_MLP: time of a step and what is kept, by length.

    python -m benchmarks.recomputation [--tokens 512 2048] [--rounds 7]

LoRA on a Llama with the widths of SmolLM2-135M, six of its 30 layers, 2,000 words and random weights; one thread. The
ways take turns within each round. Prints a JSON object for each length: processor time of a step over that of the step
that recomputes nothing, as median, least and greatest over the rounds, and the MiB that the process has allocated more
before the backward pass than before the forward pass (glibc alone, see `stress.scale.counted_run`).
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from adapt_core.contracts import AttachContext
from adapt_core.hf.loop.lean_layers import lean_forwards, lean_layers
from adapt_core.nn.products import fast_products
from adapt_core.nn.recomputation import CHECKPOINT_OPTIONS
from benchmarks.pairs import spread
from stress.scale.counted_run import allocated_mib

from adapt_peft_ssf.methods.lora import Lora
from adapt_peft_ssf.params import LoraParams

WORDS = 2000
MLP = "MLP"
WAYS: dict[str, dict[str, Any] | None] = {
    "nothing": None,
    MLP: None,
    "blocks": {"use_reentrant": False},
    "all but attention": CHECKPOINT_OPTIONS,
}


def model() -> Any:
    """Return the model with LoRA attached."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        vocab_size=WORDS,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=6,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
    )
    base = AutoModelForCausalLM.from_config(config)
    site = AttachContext(head=("lm_head",), new_parameters=frozenset(), train_head=False)
    return Lora(LoraParams(dropout=0.0)).attach(base, site).train()


def step(learner: Any, ids: torch.Tensor, way: str) -> tuple[float, float]:
    """Return the processor seconds of a step, and the MiB kept for its backward pass."""
    options = WAYS[way]
    learner.zero_grad()
    learner.activation_checkpointing_disable()
    if options is not None:
        learner.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    learner.train()
    with fast_products(wanted=True), lean_layers(lean_forwards(learner, recompute_mlp=way == MLP)):
        before, started = allocated_mib(), time.process_time()
        loss = learner(input_ids=ids, labels=ids).loss
        kept = allocated_mib() - before
        loss.backward()
        return time.process_time() - started, kept


def measured(learner: Any, tokens: int, rounds: int) -> dict[str, Any]:
    """Return the figures of a length."""
    ids = torch.randint(0, WORDS, (max(1, 1024 // tokens), tokens), generator=torch.Generator().manual_seed(1))
    ratios: dict[str, list[float]] = {way: [] for way in WAYS}
    kept = {}
    for number in range(rounds + 1):
        seconds = {}
        for way in WAYS:
            seconds[way], kept[way] = step(learner, ids, way)
        if number:  # the first warms
            for way in WAYS:
                ratios[way].append(seconds[way] / seconds["nothing"])
    return {
        "rows": len(ids),
        "tokens": tokens,
        "ways": {way: {"time": spread(ratios[way]), "MiB": round(kept[way])} for way in WAYS},
    }


def main() -> None:
    """Measure each length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    learner = model()
    learner.enable_input_require_grads()
    for tokens in given.tokens:
        print(json.dumps(measured(learner, tokens, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
