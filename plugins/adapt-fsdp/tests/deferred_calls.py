"""How often a process of a run deferred logits, computed them after all, and let layers keep less.

Rank R of a run in the folder `run` writes it to `run.calls-R` when it ends.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest


def count_calls(patch: pytest.MonkeyPatch) -> Counter[str]:
    """From here on this process counts."""
    from adapt_core.hf.loop import lean_layers, output_layer
    from adapt_core.hf.loop.deferred_logits import DeferredLogits
    from adapt_core.nn.rms_norm import RmsNorm

    calls: Counter[str] = Counter()

    def counted(owner: Any, name: str, called: str) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls[called] += 1
            return original(*args, **kwargs)

        patch.setattr(owner, name, call)

    counted(output_layer, "Head", "deferred")
    counted(DeferredLogits, "compute", "computed")
    for function in (lean_layers.GatedLinear, lean_layers.GatedProduct, RmsNorm):
        counted(function, "apply", function.__name__)
    return calls


def note(calls: Counter[str], run: Path, rank: int) -> None:
    """Write what was counted, and begin anew."""
    run.with_name(f"{run.name}.calls-{rank}").write_text(json.dumps(calls))
    calls.clear()


def noted(run: Path, rank: int) -> dict[str, int]:
    """What a rank counted."""
    found: dict[str, int] = json.loads(run.with_name(f"{run.name}.calls-{rank}").read_text())
    return found
