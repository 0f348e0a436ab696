"""Read a GGUF model by transformers, add a GGUF adapter where there is one, and compute a batch.

python by_transformers.py FOLDER INPUTS.npz OUTPUTS.npz THREADS MODEL [ADAPTER]

MODEL is a GGUF file in the folder or elsewhere, or a model folder or hub id.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from statistics import median

import numpy
import torch
from gguf import GGUFReader, get_tensor_name_map
from gguf.constants import MODEL_ARCH, MODEL_ARCH_NAMES
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel


def main(folder: str, inputs: str, outputs: str, threads: str, model: str, adapter: str | None = None) -> None:
    """Write the logits of the batch, and the time of the first row."""
    torch.set_num_threads(int(threads))
    place = Path(folder, model)
    if place.suffix == ".gguf":
        loaded = read(place)
    else:
        loaded = AutoModelForCausalLM.from_pretrained(place if place.is_dir() else model, dtype=torch.float32)
    loaded.eval()
    if adapter is not None:
        add_adapter(loaded, Path(folder, adapter))
    with numpy.load(inputs, allow_pickle=False) as stored:
        given = {name: torch.from_numpy(stored[name]) for name in stored.files}
    first = {name: tensor[:1] for name, tensor in given.items()}
    with torch.no_grad():
        logits = loaded(**given).logits
        times: list[float] = []
        while len(times) < 20 and sum(times) < 2:
            started = time.perf_counter()
            loaded(**first)
            times.append(time.perf_counter() - started)
    numpy.savez(outputs, logits=logits.float().numpy(), latency_ms=1000 * median(times))


def read(path: Path) -> PreTrainedModel:
    """Load a GGUF model in float32, with the scaled rotary positions of the file, which transformers leaves out."""
    reader = GGUFReader(path)
    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    scaled = scaling_in(reader)
    ropes = config.rope_parameters
    if scaled and ropes is not None:
        ropes.get("full_attention", ropes).update(scaled)  # Gemma 3 has a set for each kind of layer
    if hasattr(config, "query_pre_attn_scalar"):  # Gemma: of no file, so it goes by the size of the heads
        largest = config.num_hidden_layers in (46, 62)
        wanted = config.hidden_size // config.num_attention_heads if largest else config.head_dim
        config.query_pre_attn_scalar = wanted
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, config=config, dtype=torch.float32)
    factors = next((one for one in reader.tensors if one.name == "rope_freqs.weight"), None)
    if factors is not None:
        for name, buffer in model.named_buffers():
            if name.endswith("inv_freq"):
                buffer /= torch.from_numpy(factors.data.copy())
    return model


def scaling_in(reader: GGUFReader) -> dict[str, object]:
    """Return how a file scales rotary positions, as transformers' rope parameters."""
    architecture = reader.fields["general.architecture"].contents()

    def field(name: str, default: object = None) -> object:
        found = reader.get_field(f"{architecture}.rope.scaling.{name}")
        return default if found is None else found.contents()

    kind = field("type", "none")
    if kind not in ("linear", "yarn"):
        return {}
    factor = float(str(field("factor")))
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    own = 0.1 * math.log(factor) + 1 if factor > 1 else 1.0
    return {
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": field("original_context_length"),
        "beta_fast": field("yarn_beta_fast", 32.0),
        "beta_slow": field("yarn_beta_slow", 1.0),
        "attention_factor": own * float(str(field("attn_factor", 1.0))),
    }


def add_adapter(model: PreTrainedModel, path: Path) -> None:
    """Add B times A times alpha / rank to each matrix that a GGUF adapter names."""
    reader = GGUFReader(path)
    alpha = reader.fields["adapter.lora.alpha"].contents()
    architecture = reader.fields["general.architecture"].contents()
    arch = next(arch for arch in MODEL_ARCH if MODEL_ARCH_NAMES.get(arch) == architecture)
    config = model.config
    table = get_tensor_name_map(arch, config.num_hidden_layers)
    tensors = {one.name: torch.from_numpy(one.data.copy()) for one in reader.tensors}
    added = 0
    with torch.no_grad():
        for name, weight in model.named_parameters():
            named = table.get_name(name, try_suffixes=(".weight",))
            if f"{named}.lora_a" not in tensors:
                continue
            a, b = tensors[f"{named}.lora_a"], tensors[f"{named}.lora_b"]
            if architecture == "llama" and (".attn_q." in named or ".attn_k." in named):
                heads = config.num_attention_heads if ".attn_q." in named else config.num_key_value_heads
                b = b.reshape(heads, b.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(b.shape)
            update = alpha / a.shape[0] * (b @ a)
            weight += update.T if architecture == "gpt2" else update
            added += 1
    if 2 * added != len(tensors):
        raise SystemExit(f"{added} of the adapter's {len(tensors) // 2} matrices are in the model")


if __name__ == "__main__":
    main(*sys.argv[1:])
