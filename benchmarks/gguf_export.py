"""Seconds, bytes and loss of a GGUF export of SmolLM2 (135 M weights), in each encoding.

    python -m benchmarks.gguf_export

The base's file of 4 bits is read, its attention's queries and values are moved as an adapter would (a hundredth of
their deviation, of rank 8), and it is written back in its own form. Prints one JSON object: seconds to write, bytes,
how many tensors were copied, and how much of what was trained is left after rounding, by `gguf_type`.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.packaged_models import smollm2

from adapt_gguf.models import AS_BASE, write_like

TYPES = (None, "Q8_0", "F16", "Q4_0", AS_BASE)
_MOVED = ("q_proj", "v_proj")
_SHARE = 0.01


def moved(model: Any) -> Any:
    """Return a model whose queries and values have a low-rank change."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if any(part in name for part in _MOVED) and weight.ndim == 2:
                sides = torch.randn(len(weight), 8, generator=random), torch.randn(8, weight.shape[1], generator=random)
                change = sides[0] @ sides[1]
                weight += change * (_SHARE * weight.std() / change.std())
    return model


def main() -> None:
    """Print the figures."""
    base = smollm2()
    where: dict[str, Any] = {"gguf_file": base.name}
    model = moved(AutoModelForCausalLM.from_pretrained(base.parent, dtype=torch.float32, **where))
    tokenizer = AutoTokenizer.from_pretrained(base.parent, **where)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in TYPES:
            path = Path(folder) / "model.gguf"
            started = time.perf_counter()
            written = write_like(model, tokenizer, path, base, kind)
            seconds = time.perf_counter() - started
            found[kind or "auto"] = {
                "seconds": round(seconds, 1),
                "bytes": path.stat().st_size,
                "copied": len(written.copied),
                "kept": None if written.kept is None else round(written.kept, 3),
            }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
