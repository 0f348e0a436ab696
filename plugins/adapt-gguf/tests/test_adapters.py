"""LoRA adapters of peft's as GGUF adapters, against what peft computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")
peft = pytest.importorskip("peft")

from adapt_core.errors import InputError  # noqa: E402

from adapt_gguf.adapters import write_adapter  # noqa: E402
from adapt_gguf.files import open_gguf  # noqa: E402
from adapt_gguf.reading.by_transformers import add_adapter  # noqa: E402

Small = Callable[..., tuple[Any, Any]]


def adapted(model: Any, folder: Path, **options: Any) -> Any:
    """Return a model with a LoRA whose both sides are random, and save the adapter."""
    given = {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "k_proj", "v_proj", "down_proj"], **options}
    model = peft.get_peft_model(model, peft.LoraConfig(**given)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.5)
    model.save_pretrained(folder)
    return model


def logits(model: Any) -> Any:
    ids = torch.arange(40)[None] * 3 % 200
    with torch.no_grad():
        return model(input_ids=ids).logits


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"k_proj": 2}, "alpha_pattern": {"v_proj": 3, "layers.1.self_attn.q_proj": 12}},
    ],
    ids=["plain", "rslora", "patterns"],
)
@pytest.mark.parametrize("model_type", ["llama", "qwen2"])
def test_the_base_with_the_adapter_computes_what_peft_does(
    model_type: str, options: dict[str, Any], small: Small, tmp_path: Path
) -> None:
    model = adapted(small(model_type)[0], tmp_path, **options)
    assert write_adapter(tmp_path, model.config, tmp_path / "adapter.gguf") == 8
    plain, _ = small(model_type)
    before = logits(plain)
    add_adapter(plain, tmp_path / "adapter.gguf")
    assert (logits(plain) - before).abs().max() > 0.1
    torch.testing.assert_close(logits(plain), logits(model), rtol=1e-4, atol=1e-4)


def test_gpt2_whose_layers_have_their_inputs_first(small: Small, tmp_path: Path) -> None:
    options = {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}
    model = adapted(small("gpt2")[0], tmp_path, **options)
    write_adapter(tmp_path, model.config, tmp_path / "adapter.gguf")
    plain, _ = small("gpt2")
    add_adapter(plain, tmp_path / "adapter.gguf")
    torch.testing.assert_close(logits(plain), logits(model), rtol=1e-4, atol=1e-4)


def test_its_metadata_is_that_of_llama_cpps_converter(small: Small, tmp_path: Path) -> None:
    model = adapted(small("llama")[0], tmp_path)
    write_adapter(tmp_path, model.config, tmp_path / "adapter.gguf")
    reader = open_gguf(tmp_path / "adapter.gguf")
    values = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    assert values == {
        "general.architecture": "llama",
        "general.type": "adapter",
        "general.file_type": 0,
        "adapter.type": "lora",
        "adapter.lora.alpha": 6.0,
    }
    shapes = {one.name: tuple(one.data.shape) for one in reader.tensors}
    assert shapes["blk.1.ffn_down.weight.lora_a"] == (4, 96)
    assert shapes["blk.1.ffn_down.weight.lora_b"] == (64, 4)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"use_dora": True}, "DoRA also scales each output"),
        ({"modules_to_save": ["lm_head"]}, r"whole modules: lm_head \(modules_to_save\)"),
        ({"bias": "lora_only"}, "trained biases"),
        ({"target_modules": ["embed_tokens"]}, "more than matrix pairs"),
    ],
)
def test_what_is_no_pair_of_matrices_is_refused(
    options: dict[str, Any], reason: str, small: Small, tmp_path: Path
) -> None:
    model = adapted(small("llama")[0], tmp_path, **options)
    with pytest.raises(InputError, match=reason):
        write_adapter(tmp_path, model.config, tmp_path / "adapter.gguf")
    assert not (tmp_path / "adapter.gguf").exists()


def test_another_kind_of_adapter_is_refused(small: Small, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}))
    with pytest.raises(InputError, match="of the kind IA3, and not a LoRA"):
        write_adapter(tmp_path, small("llama")[0].config, tmp_path / "adapter.gguf")
