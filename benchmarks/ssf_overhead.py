"""Cost of SSF in a forward pass: unmerged and merged, relative to the bare model.

    python -m benchmarks.ssf_overhead [--batch 8] [--tokens 128] [--rounds 40]

MiniLM (a Python package ships it) in evaluation, without gradients. The three take turns in every round, in another
order each time, so that a change of the machine's speed meets all of them. Prints one JSON object: time over the bare
model's of the same round, as median, least and greatest; and the greatest difference of the merged model's logits.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from adapt_core.contracts import AttachContext
from benchmarks.packaged_models import minilm
from benchmarks.pairs import spread

from adapt_peft_ssf.methods.ssf import Ssf
from adapt_peft_ssf.params import SsfParams


def encoder() -> Any:
    """Return the bare model, with a head for four classes."""
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=4, dtype=torch.float32).eval()


def adapted() -> Any:
    """Return the model with SSF on every layer, away from identity so that merging has an effect."""
    method = Ssf(SsfParams())
    model = method.attach(encoder(), AttachContext(head=("classifier",), train_head=True)).eval()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name in method.trainable_groups(model)["adapter"]:
            tensor = model.get_parameter(name)
            tensor.add_(0.02 * torch.randn(tensor.shape, generator=random))
    return model


def main() -> None:
    """Time the three and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    inputs = {
        "input_ids": torch.randint(5, 1000, (given.batch, given.tokens), generator=torch.Generator().manual_seed(2))
    }
    unmerged = adapted()
    models = {"bare": encoder(), "unmerged": unmerged, "merged": Ssf(SsfParams()).merge(adapted(), None).eval()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    names = list(models)
    with torch.inference_mode():
        difference = (models["merged"](**inputs).logits - unmerged(**inputs).logits).abs().max()
        for number in range(given.rounds + 3):
            for name in names[number % 3 :] + names[: number % 3]:
                begun = time.perf_counter()
                models[name](**inputs)
                if number >= 3:  # the first rounds warm up
                    seconds[name].append(time.perf_counter() - begun)
    ratios = {
        name: spread([own / bare for own, bare in zip(seconds[name], seconds["bare"], strict=True)])
        for name in ("unmerged", "merged")
    }
    print(json.dumps({"over the bare model": ratios, "merged differs by": float(difference)}, indent=2))


if __name__ == "__main__":
    main()
