"""Bytes of a base's weights in 4 and 8 bits, counted from its tensors.

python -m benchmarks.quantized_bytes

MiniLM and SmolLM2 (Python packages ship them). For each: the linear layers' bytes, scales and biases included, over
their bytes in bfloat16; and, apart, what stays in full precision. Prints one JSON object.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from adapt_core.hf.models.gguf import convert_gguf
from adapt_core.hf.models.location import ModelSource
from benchmarks import packaged_models

from adapt_peft_ssf.params import Bnb4bitParams, Bnb8bitParams
from adapt_peft_ssf.quantizers.bnb_4bit import Bnb4bit
from adapt_peft_ssf.quantizers.bnb_8bit import Bnb8bit
from adapt_peft_ssf.quantizers.conversion import quantizable, quantized_layers

MIB = 2**20


def minilm() -> tuple[Any, str]:
    """Return the model and the name of its head."""
    folder = packaged_models.minilm()
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=4, dtype=torch.bfloat16)
    return model, "classifier"


def smollm2() -> tuple[Any, str]:
    """Return the model and the name of its head."""
    file = packaged_models.smollm2()
    source = convert_gguf(ModelSource(str(file), path=file))
    return AutoModelForCausalLM.from_pretrained(source.path, dtype=torch.bfloat16), "lm_head"


def held(module: torch.nn.Module) -> int:
    """Return the bytes of a module's parameters and buffers, and of a quantized weight's scales."""
    return sum(tensor.nbytes for tensor in module.state_dict().values())


def measured(make: Any, bits: int) -> dict[str, float]:
    """Return shares and sizes of one base."""
    model, head = make()
    names = quantizable(model, (head,))
    in_bfloat16 = sum(held(model.get_submodule(name)) for name in names)
    quantizer: Any = (
        Bnb4bit(Bnb4bitParams(load_in_4bit=True, bnb_4bit_compute_dtype="float32"))
        if bits == 4
        else Bnb8bit(Bnb8bitParams(load_in_8bit=True))
    )
    quantizer.convert(model, (head,), "cpu")
    now = sum(held(layer) for _, layer in quantized_layers(model))
    embeddings = held(model.get_input_embeddings())
    return {
        "linears over bfloat16": round(now / in_bfloat16, 4),
        "linears, MiB": round(now / MIB, 1),
        "embeddings, MiB": round(embeddings / MIB, 1),
        "head, MiB": round(held(model.get_submodule(head)) / MIB, 1),
    }


def main() -> None:
    """Count and print."""
    models = {"MiniLM": minilm, "SmolLM2-135M": smollm2}
    report = {name: {f"{bits} bit": measured(make, bits) for bits in (4, 8)} for name, make in models.items()}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
