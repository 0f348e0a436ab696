"""adapt check with adapters and quantized bases, against the tensors that a run then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapt_core import api
from adapt_core.distributed.world import World
from adapt_core.execution.components import Components
from adapt_core.nn.parameters import count_parameters


@pytest.fixture
def keys(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> dict[str, Any]:
    """A small config of text_classification."""
    pytest.importorskip("adapt_nlp")
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "MAX_TRAIN_SAMPLES": 64,
        "EPOCHS": 1,
        "NUM_WORKERS": 0,
    }


def held_bytes(model: Any) -> int:
    """Bytes of every parameter and buffer, with the statistics of quantized ones."""
    total = 0
    for tensor in [*model.parameters(), *model.buffers()]:
        total += tensor.nbytes
        state = getattr(tensor, "quant_state", None)
        if state is not None:
            total += state.absmax.nbytes
            if state.nested:
                total += state.state2.absmax.nbytes + state.state2.code.nbytes + state.offset.nbytes
        scale = getattr(tensor, "SCB", None)
        if scale is not None:
            total += scale.nbytes
    return total


@pytest.mark.parametrize("method", ["LoRA", "DoRA", "SSF"])
@pytest.mark.parametrize(
    "bits",
    [{}, {"load_in_4bit": True}, {"load_in_4bit": True, "bnb_4bit_use_double_quant": True}, {"load_in_8bit": True}],
)
def test_weights_are_foretold_to_one_per_cent(keys: dict[str, Any], method: str, bits: dict[str, Any]) -> None:

    plan = api.check({**keys, "method": method, **bits})
    found = api.estimate(plan)
    parts = Components.of(plan)
    data = parts.task.load_data()
    model, _ = parts.attach(plan, parts.task.load_model(data, parts.quantizer, World()))
    assert found.memory is not None
    assert found.memory.weights == pytest.approx(held_bytes(model), rel=0.01)
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert found.trainable_parameters == sum(p.numel() for p in trainable)
    assert found.total_parameters == count_parameters(model).total  # as the run counts them, packed or not
    assert found.memory.gradients == sum(p.nbytes for p in trainable)
