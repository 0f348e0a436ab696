"""Bases in 4 and 8 bits whose checkpoint lacks modules of the model: these are new, in full precision, and train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import adapt_core
from adapt_core import api
from adapt_core.distributed.world import World
from adapt_core.execution.components import Components
from adapt_core.nn.parameters import count_parameters
from adapt_core.nn.weights import read_state_dict

from adapt_peft_ssf.quantizers.conversion import quantized_layers

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

ROWS = [
    {"text": f"the {animal} is {word} {number}", "label": label}
    for number in range(4)
    for animal in ("cat", "dog")
    for word, label in (("good", "yes"), ("bad", "no"))
]


def _sizes(words: int) -> dict[str, int]:
    return {
        "vocab_size": words,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
    }


def _bert(words: int) -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**_sizes(words)), add_pooling_layer=False)


def _deberta(words: int) -> Any:
    from transformers import DebertaV2Config, DebertaV2Model

    return DebertaV2Model(DebertaV2Config(**_sizes(words)))


def _xlnet(words: int) -> Any:
    from transformers import XLNetConfig, XLNetModel

    return XLNetModel(XLNetConfig(vocab_size=words, d_model=32, n_layer=1, n_head=2, d_inner=64))


def _modernbert(words: int) -> Any:
    from transformers import ModernBertConfig, ModernBertModel

    return ModernBertModel(ModernBertConfig(**_sizes(words), pad_token_id=0))


LACKING: dict[str, tuple[Callable[[int], Any], str]] = {
    "BERT without a pooler": (_bert, "bert.pooler.dense.weight"),
    "DeBERTa": (_deberta, "pooler.dense.weight"),
    "XLNet": (_xlnet, "sequence_summary.summary.weight"),
    "ModernBERT": (_modernbert, "head.dense.weight"),
}
"""Name -> how a checkpoint without the modules between base and classifier is made, and one of their weights."""


@pytest.fixture(
    params=[pytest.param(name, marks=[] if name.startswith("BERT") else pytest.mark.slow) for name in LACKING]
)
def base(request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path: Path) -> tuple[Path, str]:
    """Return a checkpoint's folder, and a weight that it lacks."""
    from transformers import AutoTokenizer

    make, lacks = LACKING[request.param]
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    torch.manual_seed(0)
    make(len(tokenizer)).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base", lacks


def _keys(model: Path, output: Path, bits: int | None, **more: Any) -> dict[str, Any]:
    return {
        "TASK": "text_classification",
        "MODEL_PATH": str(model),
        "OUTPUT_DIR": str(output),
        "method": "LoRA",
        "EPOCHS": 1,
        "BATCH_SIZE": 4,
        "LR": 1e-2,
        "NUM_WORKERS": 0,
        "MERGE_ADAPTER": True,
        "SAVE_METHOD": "safetensors",
        **({f"load_in_{bits}bit": True} if bits else {}),
        **more,
    }


@pytest.mark.parametrize("bits", [4, 8])
def test_what_the_checkpoint_lacks_is_new_and_trains(base: tuple[Path, str], bits: int, tmp_path: Path) -> None:
    folder, lacks = base
    result = adapt_core.run(_keys(folder, tmp_path / "run", bits), data=ROWS)
    assert result.training_check["verdict"] == "learned"
    assert result.merge["relative_difference"] <= (1e-4 if bits == 4 else 5e-2)
    saved = read_state_dict(tmp_path / "run" / "model" / "model.safetensors")[lacks]
    assert saved.std() > 0.01, "started from random values, as without a quantizer"


@pytest.mark.parametrize("bits", [4, 8])
def test_adapt_check_counts_the_layers_that_a_run_quantizes(base: tuple[Path, str], bits: int, tmp_path: Path) -> None:
    folder, lacks = base
    plan = api.check(_keys(folder, tmp_path / "run", bits), data=ROWS)
    found = api.estimate(plan)
    parts = Components.of(plan)
    loaded = parts.task.load_model(parts.task.load_data(), parts.quantizer, World())
    names = {name for name, _ in quantized_layers(loaded.model)}
    held = read_state_dict(folder / "model.safetensors")
    linear = [name for name, module in loaded.model.named_modules() if isinstance(module, nn.Linear)]
    assert names == {name for name in linear if any(f"{name}.weight".endswith(key) for key in held)}
    assert lacks in loaded.new_parameters
    model, _ = parts.attach(plan, loaded)
    assert found.total_parameters == count_parameters(model).total


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_of_model_checkpoint_are_quantized_like_those_of_the_base(
    tiny_encoder: Path, bits: int, tmp_path: Path
) -> None:
    state = read_state_dict(tiny_encoder / "model.safetensors")
    random = torch.Generator().manual_seed(5)
    other = {name: 0.3 * torch.randn(tensor.shape, generator=random) for name, tensor in state.items()}
    torch.save(other, tmp_path / "other.pt")
    more = {"MODEL_CHECKPOINT": str(tmp_path / "other.pt"), "MAX_STEPS": 1, "LR": 1e-6}
    adapt_core.run(_keys(tiny_encoder, tmp_path / "run", bits, **more), data=ROWS)
    saved = read_state_dict(tmp_path / "run" / "model" / "model.safetensors")
    name = "encoder.layer.0.attention.self.query.weight"
    rounding = (saved[f"bert.{name}"] - other[name]).abs().max()
    assert 0 < rounding <= (0.15 if bits == 4 else 0.01), "of weights around 0.3"
