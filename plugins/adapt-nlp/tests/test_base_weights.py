"""The base model is the one in the weights: what they lack is told, and never silently random."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapt_core.errors import InputError

Run = Callable[..., Any]
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def base(tiny_encoder: Path, tmp_path: Path) -> Path:
    """A copy of the small encoder, to change."""
    return Path(shutil.copytree(tiny_encoder, tmp_path / "base"))


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    """Replace the weights in a folder by what `change` makes of them."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def set_config(folder: Path, **values: Any) -> None:
    """Change config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def log_of(result: Any) -> str:
    """Return the log of a run."""
    return (Path(result.output_dir) / "log.txt").read_text(encoding="utf-8")


def words_of(result: Any) -> torch.Tensor:
    """Return the word embeddings of a run's model."""
    return load_file(Path(result.output_dir) / "model" / "model.safetensors")["bert.embeddings.word_embeddings.weight"]


UNTRAINED = {"METHOD": "last_layer", "MAX_STEPS": 1, "DO_EVAL": False}
"""A run that leaves the base model as it is."""


def test_embeddings_of_another_size_are_an_error_and_may_be_allowed(run: Run, base: Path) -> None:
    size = json.loads((base / "config.json").read_text())["vocab_size"]
    set_config(base, vocab_size=size + 2)
    with pytest.raises(InputError, match=rf"lack 1 tensors .*word_embeddings.weight \(\[{size}, 32\] in the file, \["):
        run(MODEL_PATH=str(base))
    assert run(MODEL_PATH=str(base), NEW_WEIGHTS=["*.word_embeddings.*"], **UNTRAINED).steps == 1


def test_absent_layers_are_an_error(run: Run, base: Path) -> None:
    set_config(base, num_hidden_layers=4)
    with pytest.raises(InputError, match=r"lack 32 tensors of .*: bert\.encoder\.layer\.2\."):
        run(MODEL_PATH=str(base))


def test_a_head_that_writes_words_is_part_of_the_base(run: Run, tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "llama"))
    set_config(folder, tie_word_embeddings=False)
    keys = {"TASK": "text_generation", "MODEL_PATH": str(folder), "max_seq_length": 32}
    with pytest.raises(InputError, match=r"lack 1 tensors of LlamaForCausalLM.*: lm_head\.weight"):
        run(**keys)
    assert run(**keys, NEW_WEIGHTS=["lm_head.*"], **UNTRAINED).steps == 1


def test_a_pooler_and_a_head_may_be_new(run: Run, base: Path) -> None:
    rewrite(base, lambda state: {name: tensor for name, tensor in state.items() if not name.startswith("pooler.")})
    assert run(MODEL_PATH=str(base), **UNTRAINED).steps == 1


@pytest.mark.parametrize("prefix", ["module.", "model.module.bert."])
def test_what_a_training_script_put_before_each_name_is_left_out(run: Run, base: Path, prefix: str) -> None:
    expected = load_file(base / "model.safetensors")["embeddings.word_embeddings.weight"]
    rewrite(base, lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()})
    result = run(MODEL_PATH=str(base), **UNTRAINED)
    assert torch.equal(words_of(result), expected)
    assert f"weights begin with {prefix.removesuffix('bert.')!r}, which is left out" in log_of(result)


def test_model_checkpoint_may_have_a_prefix_or_shards(run: Run, base: Path, tmp_path: Path) -> None:
    state = {name: tensor + 1 for name, tensor in load_file(base / "model.safetensors").items()}
    expected = state["embeddings.word_embeddings.weight"]
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "ddp.pt")
    shards = tmp_path / "shards"
    shards.mkdir()
    index = {name: f"model-0000{1 + (name < 'encoder.layer.1')}-of-00002.safetensors" for name in state}
    for file in set(index.values()):
        save_file({name: tensor for name, tensor in state.items() if index[name] == file}, shards / file)
    (shards / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    for given in (tmp_path / "ddp.pt", shards):
        result = run(MODEL_CHECKPOINT=str(given), OVERWRITE_OUTPUT_DIR=True, **UNTRAINED)
        assert torch.equal(words_of(result), expected)
    assert "are not loaded" not in log_of(result)


def test_model_checkpoint_says_what_it_does_not_load(run: Run, base: Path, tmp_path: Path) -> None:
    state = load_file(base / "model.safetensors")
    state["embeddings.position_embeddings.weight"] = torch.zeros(4, 32)
    save_file(state, tmp_path / "other.safetensors")
    result = run(MODEL_CHECKPOINT=str(tmp_path / "other.safetensors"), **UNTRAINED)
    assert "are not loaded: embeddings.position_embeddings.weight" in log_of(result)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="has none of model"):
        run(MODEL_CHECKPOINT=str(empty), OVERWRITE_OUTPUT_DIR=True)


def test_model_checkpoint_may_bring_what_the_base_lacks(run: Run, base: Path, tmp_path: Path) -> None:
    shutil.copy(base / "model.safetensors", tmp_path / "whole.safetensors")
    rewrite(base, lambda state: {name: tensor for name, tensor in state.items() if "layer.1." not in name})
    assert run(MODEL_PATH=str(base), MODEL_CHECKPOINT=str(tmp_path / "whole.safetensors"), **UNTRAINED).steps == 1


def test_a_tokenizer_larger_than_the_embeddings_is_refused_by_check_and_run(run: Run, keys: Any, base: Path) -> None:
    from transformers import AutoTokenizer

    import adapt_core.api

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(base)
    with pytest.raises(InputError, match=r"has 1 tokens beyond the .* embeddings of the model: '<new>'"):
        adapt_core.api.estimate(adapt_core.check({**keys, "MODEL_PATH": str(base)}))
    with pytest.raises(InputError, match="resize_token_embeddings"):
        run(MODEL_PATH=str(base))
