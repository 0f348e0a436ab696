"""Summarization and translation: whole runs on small real encoder-decoders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import predict
from adapt_core.errors import InputError

from ..multilingual_tokenizers import mbart, nllb
from ..seq2seq_models import ROUGE, english, romanian, translations, write

Run = Callable[..., Any]

PLAIN = """
import json, sys

lines, example, given, answer = sys.argv[1:]
exec(open(lines).read().replace(example, given))
print(json.dumps([globals()[answer], [name for name in sys.modules if name.startswith("adapt_")]]))
"""


def plainly(python: Callable[..., Any], folder: Path, example: str, given: str, answer: str) -> str:
    """What the model card's loading lines, run in a fresh process without adapt, generate for a text."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    (folder / "lines.py").write_text(card.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    done = python(PLAIN, "lines.py", example, given, answer, folder=folder)
    assert done.returncode == 0, done.stderr
    found, adapts = json.loads(done.stdout.splitlines()[-1])
    assert adapts == []
    return str(found)


def test_a_translation_is_learned_and_plain_transformers_gives_the_same(
    translate: Run, tmp_path: Path, python: Callable[..., Any]
) -> None:
    data = write(tmp_path / "many", train=translations(400), validation=translations(24, 500))
    result = translate(
        CUSTOM_DATASET_PATH=str(data), MAX_STEPS=None, EPOCHS=14, LR=5e-3, WARMUP_RATIO=0.1, PREFIX="translate: "
    )
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"] / 2
    assert result.metrics["after"]["rouge1"] > result.metrics["before"]["rouge1"] + 0.1
    text = english(3507)
    (found,) = predict(result.output_dir, [text])
    assert set(found) == {"text", "translation"}
    assert set(found["translation"].split()) & {word for n in range(12) for word in romanian(n).split()}
    assert plainly(python, tmp_path / "run", "A text to translate.", text, "translation") == found["translation"]


@pytest.mark.parametrize("model", ["tiny_t5", "tiny_bart", "tiny_bert2bert"])
@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_every_family_runs_under_both_methods_and_loads_again(
    summarize: Run, tmp_path: Path, request: pytest.FixtureRequest, model: str, method: str, python: Callable[..., Any]
) -> None:
    form = "state_dict" if method == "last_layer" else "save_pretrained"
    result = summarize(
        MODEL_PATH=str(request.getfixturevalue(model)), method=method, SAVE_METHOD=form, MAX_STEPS=4, num_beams=1
    )
    assert result.training_check["verdict"] == "learned"
    assert set(result.metrics["after"]) == {*ROUGE, "gen_len", "loss"}
    text = english(77)
    (found,) = predict(result.output_dir, [text])
    assert set(found) == {"text", "summary"}
    assert plainly(python, tmp_path / "run", "A text to summarize.", text, "summary") == found["summary"]


@pytest.mark.parametrize(("make", "begins"), [(nllb, True), (mbart, False)], ids=["nllb", "mbart"])
def test_multilingual_models_generate_in_the_target_language(
    translate: Run, tmp_path: Path, make: Callable[[], Any], begins: bool, python: Callable[..., Any]
) -> None:
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, MBartConfig, MBartForConditionalGeneration

    tokenizer = make()
    kind, config = (
        (M2M100ForConditionalGeneration, M2M100Config) if begins else (MBartForConditionalGeneration, MBartConfig)
    )
    sizes = {
        f"{side}_{name}": size
        for side in ("encoder", "decoder")
        for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))
    }
    torch.manual_seed(0)
    model = kind(config(vocab_size=len(tokenizer), d_model=32, max_position_embeddings=128, **sizes))
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    result = translate(MODEL_PATH=str(tmp_path / "model"))
    target = tokenizer.convert_tokens_to_ids("ron_Latn" if begins else "ro_RO")
    saved = json.loads((tmp_path / "run" / "model" / "generation_config.json").read_text())
    assert saved.get("forced_bos_token_id") == (target if begins else None)
    assert (saved["decoder_start_token_id"] == target) is not begins
    (found,) = predict(result.output_dir, ["red cat"])
    assert plainly(python, tmp_path / "run", "A text to translate.", "red cat", "translation") == found["translation"]
    data = write(tmp_path / "odd", train=[{"a": "x", "b": "y"}] * 20)
    with pytest.raises(InputError, match=r"target_lang: .* has no language 'tlh'"):
        translate(
            MODEL_PATH=str(tmp_path / "model"),
            CUSTOM_DATASET_PATH=str(data),
            input_column="a",
            target_column="b",
            target_lang="tlh",
        )


def test_a_model_that_is_no_encoder_decoder_is_refused(summarize: Run, tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match="is a bert, not an encoder-decoder"):
        summarize(MODEL_PATH=str(tiny_encoder))
