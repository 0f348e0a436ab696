"""A trained text classifier: its saved forms, export and predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing.cards import python_of

Run = Callable[..., Any]


SAVE_METHODS = ["state_dict", "safetensors", "full_torch_model", "save_pretrained"]


@pytest.mark.parametrize("save_method", SAVE_METHODS)
def test_each_saved_form_loads_without_adapt_and_predicts_the_same(
    run: Run, tmp_path: Path, python: Callable[..., Any], save_method: str
) -> None:
    run(SAVE_METHOD=save_method)
    folder = tmp_path / "run"
    texts = ["Can I renew my books?", "The 3D printer jams.", "Where is the key of the hall?"]
    ours = adapt_core.predict(folder, texts, trust=save_method == "full_torch_model")
    loading = python_of(folder / "README.md")
    program = (
        "import sys\n"
        "for name in ('adapt_core', 'adapt_nlp'):\n    sys.modules[name] = None\n"
        f"{loading}\n"
        "import json, torch\n"
        "def score(text):\n"
        "    logits = model(**tokenizer(text, return_tensors='pt')).logits.softmax(-1)[0]\n"
        "    return [model.config.id2label[int(logits.argmax())], float(logits.max())]\n"
        f"print(json.dumps([score(text) for text in {texts!r}]))\n"
        "assert not any(name.startswith(('adapt_', 'peft')) for name in sys.modules if sys.modules[name])\n"
    )
    done = python(program, folder=folder)
    assert done.returncode == 0, done.stderr
    for mine, (label, score) in zip(ours, json.loads(done.stdout.splitlines()[-1]), strict=True):
        assert mine["label"] == label
        assert mine["score"] == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("said_by_the_folder", [False, True])
def test_a_pickled_model_is_not_loaded_unless_its_user_trusts_it(
    run: Run, tmp_path: Path, said_by_the_folder: bool
) -> None:
    run(SAVE_METHOD="full_torch_model", TRUST_REMOTE_CODE=said_by_the_folder)
    with pytest.raises(InputError, match="TRUST_REMOTE_CODE=true"):
        adapt_core.predict(tmp_path / "run", ["x"])
    assert len(adapt_core.predict(tmp_path / "run", ["x"], trust=True)) == 1


def test_export_writes_every_other_form_with_the_same_weights(run: Run, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    run()
    first = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "model")
    for save_method in SAVE_METHODS:
        folder = adapt_core.export(tmp_path / "run", save_method, tmp_path / save_method)
        assert (folder / "config.json").exists()
        assert (folder / "tokenizer.json").exists()
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "save_pretrained")
    for (name, one), (_, other) in zip(first.state_dict().items(), again.state_dict().items(), strict=True):
        assert one.equal(other), name
    with pytest.raises(InputError, match="not empty"):
        adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "safetensors")
    with pytest.raises(InputError, match="no exporter 'zip' is registered"):
        adapt_core.export(tmp_path / "run", "zip", tmp_path / "zip")


def test_predict_reads_texts_and_files(run: Run, tmp_path: Path) -> None:
    run()
    (tmp_path / "lines.txt").write_text("One text.\n\nAnother text.\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text('{"text": "A third."}\n', encoding="utf-8")
    arguments = ["A raw text.", str(tmp_path / "lines.txt"), str(tmp_path / "rows.jsonl")]
    predictions = adapt_core.predict(tmp_path / "run", arguments)
    assert [row["text"] for row in predictions] == ["A raw text.", "One text.", "Another text.", "A third."]
    assert all(row["label"] in {"loans", "events", "rooms", "workshop", "account", "feedback"} for row in predictions)
    with pytest.raises(InputError, match="input 1 is empty"):
        adapt_core.predict(tmp_path / "run", ["  "])


def test_the_command_line_runs_predicts_and_exports(
    forked_adapt: Callable[..., Any], keys: dict[str, Any], tmp_path: Path
) -> None:
    adapt = forked_adapt
    (tmp_path / "c.yaml").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()), encoding="utf-8")
    done = adapt("run", "c.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    assert "before: loss" in done.stderr
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    again = adapt("run", "c.yaml", "--resume")
    assert again.returncode == 0
    assert "nothing to train" in again.stderr
    refused = adapt("run", "c.yaml")
    assert refused.returncode == 2
    assert "holds a finished run" in refused.stderr
    predicted = adapt("predict", str(tmp_path / "run"), "Where is my PIN?", "--json")
    assert json.loads(predicted.stdout)[0]["text"] == "Where is my PIN?"
    piped = adapt("predict", "run", "-", input="\ufeffWhere is my PIN?\n\nSee \x1b[31mred.csv\n")
    header, first, second = piped.stdout.splitlines()
    assert header == "text\tlabel\tscore"
    text, label, score = first.split("\t")
    assert (text, label) == ("Where is my PIN?", json.loads(predicted.stdout)[0]["label"])
    assert float(score) == pytest.approx(json.loads(predicted.stdout)[0]["score"], abs=5e-5)
    assert second.startswith("See \\u001b[31mred.csv\t")
    for given, message in (("", "standard input is empty"), (b"\xff\n".decode("latin-1"), "not UTF-8")):
        refused = adapt("predict", "run", "-", input=given, encoding="latin-1")
        assert (refused.returncode, message in refused.stderr) == (2, True)
    exported = adapt("export", str(tmp_path / "run"), "--save-method", "state_dict", "-o", "out")
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "out" / "model_state_dict.pt").exists()
