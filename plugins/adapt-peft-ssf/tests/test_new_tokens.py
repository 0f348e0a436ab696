"""ADD_TOKENS: new tokens are one number, start from what they were, train with an adapter or without, and are saved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing.cards import python_of
from adapt_core.testing.small_models import llama

from .jobs import config

TEXTS = ["red and white", "green and blue", "black and yellow"]
NEW = ["<red>", "blueish"]


def written(folder: Path, tied: bool) -> dict[str, Any]:
    from transformers import AutoModelForCausalLM

    (folder / "data").mkdir(parents=True)
    for split in ("train", "validation"):
        rows = [json.dumps({"text": f"{NEW[0]} {text} {NEW[1]}"}) for text in TEXTS * 4]
        (folder / "data" / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    model = llama(folder / "model", TEXTS)
    if not tied:
        own = AutoModelForCausalLM.from_pretrained(model, tie_word_embeddings=False)
        own.config.tie_word_embeddings = False
        own.lm_head.weight.data.normal_(std=0.02)
        own.save_pretrained(model)
    return {
        "TASK": "text_generation",
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(folder / "data"),
        "MAX_STEPS": 8,
        "BATCH_SIZE": 4,
        "LR": 0.05,
        "NUM_WORKERS": 0,
        "SAVE_METHOD": "save_pretrained",
        "VERDICT": "none",
        "ADD_TOKENS": NEW,
        "OUTPUT_DIR": str(folder / "run"),
    }


def embeddings(folder: Path) -> tuple[Any, Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder), model.get_input_embeddings().weight, model.lm_head.weight


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("method", ["LoRA", "DoRA", "full"])
def test_new_tokens_train_and_are_saved_with_model_and_adapter(method: str, tied: bool, tmp_path: Path) -> None:
    keys = written(tmp_path, tied)
    result = adapt_core.run({**keys, "method": method})
    assert result.training_check["verdict"] == "learned"
    assert result.merge is None or result.merge["relative_difference"] <= 1e-4
    old_tokenizer, old, old_head = embeddings(Path(keys["MODEL_PATH"]))
    tokenizer, rows, head = embeddings(tmp_path / "run" / "model")
    numbers = tokenizer.convert_tokens_to_ids(NEW)
    assert [tokenizer(token, add_special_tokens=False)["input_ids"] for token in NEW] == [[n] for n in numbers]
    pieces = old_tokenizer("blueish", add_special_tokens=False)["input_ids"]
    pieces = [n for n in pieces if n != old_tokenizer.unk_token_id]
    start = old[pieces].mean(0) if pieces else old.mean(0)
    assert (rows[numbers[1]] - start).abs().max() > 1e-3, "the new token did not train"
    assert (head[numbers[1]] - (old_head[pieces].mean(0) if pieces else old_head.mean(0))).abs().max() > 1e-3
    if method != "full":
        untouched = [n for n in range(len(old)) if n not in numbers]
        assert (rows[untouched] - old[untouched]).abs().max() == 0
    assert adapt_core.predict(tmp_path / "run", ["<red> red and"])


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_an_adapter_alone_has_them_for_adapt_and_for_plain_peft(tied: bool, tmp_path: Path) -> None:
    keys = written(tmp_path, tied)
    adapt_core.run({**keys, "method": "LoRA", "MERGE_ADAPTER": False})
    assert not (tmp_path / "run" / "model").exists()
    exported = adapt_core.export(tmp_path / "run", "save_pretrained", tmp_path / "exported")
    tokenizer, rows, _ = embeddings(exported)
    numbers = tokenizer.convert_tokens_to_ids(NEW)
    source = python_of(tmp_path / "run" / "adapter" / "README.md")
    script = source + "\nprint(model.get_input_embeddings()(torch.tensor([NUMBERS])).abs().sum().item())".replace(
        "NUMBERS", ", ".join(map(str, numbers))
    )
    folder = tmp_path / "run" / ("" if '"adapter"' in source else "adapter")
    done = subprocess.run(
        [sys.executable, "-c", "import torch\n" + script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split()[-1]) == pytest.approx(rows[numbers].abs().sum().item(), rel=1e-4)


def test_a_run_goes_on_with_its_tokens(tmp_path: Path) -> None:
    keys = written(tmp_path, tied=True)
    first = adapt_core.run({**keys, "method": "LoRA"})
    kept = {key: keys[key] for key in keys if key not in ("TASK", "MODEL_PATH", "ADD_TOKENS")}
    second = adapt_core.run({**kept, "START_FROM": str(tmp_path / "run"), "OUTPUT_DIR": str(tmp_path / "second")})
    assert second.metrics["before"]["loss"] == pytest.approx(first.metrics["after"]["loss"], abs=1e-4)
    assert embeddings(tmp_path / "second" / "model")[0].convert_tokens_to_ids(NEW[0]) > 0


def test_the_start_is_the_mean_of_the_pieces_or_of_all(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from adapt_core.hf.models.new_tokens import add_tokens, embed_tokens

    path = written(tmp_path, tied=True)["MODEL_PATH"]
    for start in ("pieces", "mean"):
        tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(path)
        before = model.get_input_embeddings().weight.detach().clone()
        used = tokenizer("redwhite", add_special_tokens=False)["input_ids"]
        added = add_tokens(tokenizer, ["redwhite", tokenizer.convert_ids_to_tokens(70)])
        assert len(added.numbers) == 1, "the other is a token already"
        rows = embed_tokens(model, tokenizer, added, start)
        assert set(rows.values()) == {added.numbers}
        expected = before[used].mean(0) if start == "pieces" else before.mean(0)
        weight = model.get_input_embeddings().weight.detach()
        torch.testing.assert_close(weight[added.numbers[0]], expected)
        assert torch.equal(weight[: len(before)], before)


def test_classifiers_learn_new_tokens_too(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", ADD_TOKENS=["laser cutter"])
    result = adapt_core.run(keys)
    assert result.merge["relative_difference"] <= 1e-4
    assert adapt_core.predict(tmp_path / "run", ["Where do I find the laser cutter?"])


@pytest.mark.parametrize("method", ["SSF", "last_layer"])
def test_a_method_that_would_leave_them_as_they_start_refuses(
    method: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "run", method=method, ADD_TOKENS=["laser cutter"])
    with pytest.raises(InputError, match=r"ADD_TOKENS: .*Use LoRA, DoRA or full"):
        adapt_core.run(keys)


@pytest.mark.parametrize(("tokens", "said"), [([" "], "is empty"), (["a b", "a b"], "is given twice")])
def test_wrong_tokens_are_told_at_once(
    tokens: list[str], said: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        adapt_core.check(config(tiny_encoder, inbox, tmp_path / "run", method="LoRA", ADD_TOKENS=tokens))


def test_predictions_and_chats_are_the_same_merged_and_not(tmp_path: Path) -> None:
    keys = {**written(tmp_path, tied=True), "temperature": 0, "max_new_tokens": 8, "method": "LoRA"}
    adapt_core.run(keys)
    adapt_core.run({**keys, "MERGE_ADAPTER": False, "OUTPUT_DIR": str(tmp_path / "apart")})
    prompts = ["<red> red and", "green blueish"]
    merged, apart = (adapt_core.predict(tmp_path / name, prompts) for name in ("run", "apart"))
    assert merged == apart
    assert any(token in answer["generated_text"] for answer in merged for token in NEW), "they are written, too"
    done = [
        subprocess.run(
            [sys.executable, "-m", "adapt_core", "chat", str(tmp_path / name)],
            input=f"{prompts[0]}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        for name in ("run", "apart")
    ]
    assert done[0].returncode == done[1].returncode == 0, done[1].stderr[-2000:]
    assert done[0].stdout == done[1].stdout
    assert merged[0]["generated_text"].strip() in done[0].stdout


def test_a_plain_lora_made_of_the_merged_model_has_their_embeddings_whole(tmp_path: Path) -> None:
    keys = written(tmp_path, tied=False)
    adapt_core.run({**keys, "method": "LoRA", "r": 4})
    adapt_core.export(tmp_path / "run", "lora", tmp_path / "lora")
    probe = "print(model(**tokenizer('<red> red', return_tensors='pt')).logits[0, -1].tolist())"
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "model")
    inputs = AutoTokenizer.from_pretrained(tmp_path / "run" / "model")("<red> red", return_tensors="pt")
    script = f"{python_of(tmp_path / 'lora' / 'README.md')}\n{probe}"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "lora", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == pytest.approx(merged(**inputs).logits[0, -1].tolist(), abs=1e-3)


def test_a_server_is_not_given_an_adapter_with_tokens(tmp_path: Path) -> None:
    keys = written(tmp_path, tied=True)
    adapt_core.run({**keys, "method": "LoRA"})
    with pytest.raises(InputError, match="trained embeddings of tokens"):
        adapt_core.export(tmp_path / "run", "vllm", tmp_path / "served")


def test_taggers_learn_new_tokens_too(tiny_encoder: Path, tmp_path: Path) -> None:
    data = tmp_path / "tags"
    data.mkdir()
    for split in ("train", "validation"):
        rows = [{"tokens": ["<gear>", "in", "oslo"], "ner_tags": ["O", "O", "B-LOC"]}] * 8
        (data / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    keys = config(tiny_encoder, data, tmp_path / "run", method="full", subtask="ner", ADD_TOKENS=["<gear>"], LR=1e-3)
    adapt_core.run({**keys, "SAVE_METHOD": "save_pretrained", "EPOCHS": 1})
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert tokenizer.tokenize("<gear>") == ["<gear>"]
