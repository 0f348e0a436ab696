"""Bad input ends within seconds, with exit code 2, where and what to do, and nothing written but the log."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import InputError

Run = Callable[..., Any]
GOOD = [{"text": f"message {i} about {word}", "label": word} for i in range(12) for word in ("tools", "books")]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def refused(run: Run, tmp_path: Path) -> Callable[..., str]:
    """Runs with changes, expects a refusal that leaves nothing but the log, and returns its message."""

    def of(**changes: Any) -> str:
        with pytest.raises(InputError) as caught:
            run(**changes)
        folder = Path(changes.get("OUTPUT_DIR", tmp_path / "run"))
        assert {path.name for path in folder.iterdir()} <= {"log.txt", ".adapt-run.json"}
        assert len(str(caught.value).splitlines()) <= 10
        assert str(caught.value).splitlines()[0] in (folder / "log.txt").read_text(encoding="utf-8")
        return str(caught.value)

    return of


def test_a_missing_or_unreadable_file_is_named(refused: Any, tmp_path: Path) -> None:
    assert "does not exist" in refused(CUSTOM_DATASET_PATH=str(tmp_path / "absent"))
    (tmp_path / "notes.pdf").write_text("")
    assert "'.pdf' are not supported; these are: .csv" in refused(CUSTOM_DATASET_PATH=str(tmp_path / "notes.pdf"))
    (tmp_path / "void").mkdir()
    assert "contains no data file" in refused(CUSTOM_DATASET_PATH=str(tmp_path / "void"))
    (tmp_path / "void" / "train.xls").write_bytes(b"PK")
    (tmp_path / "void" / "test.conll").write_text("Ada B-PER\n")
    for suffix, said in (
        (".conll", "subtask: ner, pos or chunk"),
        (".conllu", "Write each sentence as a row of a .jsonl"),
    ):
        (tmp_path / f"words{suffix}").write_text("Ada B-PER\n")
        assert said in refused(CUSTOM_DATASET_PATH=str(tmp_path / f"words{suffix}"))
    said = refused(CUSTOM_DATASET_PATH=str(tmp_path / "void"))
    assert "It holds test.conll, train.xls. A task that tags words reads it: set TASK: text_classification and" in said
    assert "Save the sheet as .xlsx or .csv." in refused(CUSTOM_DATASET_PATH=str(tmp_path / "void" / "train.xls"))


def test_an_empty_data_set_is_named(refused: Any, tmp_path: Path) -> None:
    for name, content in (("a.jsonl", ""), ("b.csv", ""), ("c.csv", "text,label\n")):
        (tmp_path / name).write_text(content)
        assert "empty" in refused(CUSTOM_DATASET_PATH=str(tmp_path / name)), name


def test_a_missing_column_lists_those_there_are(refused: Any, tmp_path: Path) -> None:
    data = write(tmp_path / "d" / "train.jsonl", [{"txt": "a", "label": "x"}] * 3)
    message = refused(CUSTOM_DATASET_PATH=str(data))
    assert "input_column: the train split has no column 'text'; it has: txt, label. Did you mean 'txt'?" in message
    assert "FORMAT_STRING" in refused(CUSTOM_DATASET_PATH=str(data), FORMAT_STRING="{title} {txt}")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"text": None, "label": "books"}, "column 'text' is missing (null)"),
        ({"text": "  ", "label": "books"}, "column 'text' is empty"),
        ({"text": "fine", "label": None}, "the label is missing (null)"),
        ({"text": "fine", "label": "  "}, "label '  ' is not usable"),
    ],
)
def test_a_bad_row_is_named_by_its_number(refused: Any, run: Run, tmp_path: Path, row: Any, fault: str) -> None:
    write(tmp_path / "d" / "train.jsonl", [*GOOD[:5], row, *GOOD[5:]])
    write(tmp_path / "d" / "validation.jsonl", GOOD[:4])
    message = refused(CUSTOM_DATASET_PATH=str(tmp_path / "d"))
    assert f"train row 6: {fault}" in message
    assert "SKIP_BAD_ROWS=true" in message
    result = run(CUSTOM_DATASET_PATH=str(tmp_path / "d"), SKIP_BAD_ROWS=True)
    assert (result.data["train_dropped"], result.data["train_rows"]) == (1, 24)


def test_text_that_is_no_text_is_named(refused: Any, tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("text,label\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(30)))
    assert "train row 1: column 'text' is int 0, not text" in refused(CUSTOM_DATASET_PATH=str(tmp_path / "n.csv"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "cut', "d.jsonl:3: not valid JSON"),
        ('["a", "b"]', "d.jsonl:3: each line must be a JSON object"),
        ('{"text": 7, "label": "books"}', "train row 3: column 'text' is int 7, not text"),
    ],
)
def test_a_broken_line_is_named_by_file_and_line(refused: Any, tmp_path: Path, line: str, message: str) -> None:
    good = [json.dumps(row) for row in GOOD]
    (tmp_path / "d.jsonl").write_text("\n".join([*good[:2], line, *good[2:]]) + "\n")
    assert message in refused(CUSTOM_DATASET_PATH=str(tmp_path / "d.jsonl"))


def test_another_encoding_is_named_by_file_and_line(refused: Any, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes("text,label\ngood,a\nПривет мир,b\n".encode("cp1251"))
    assert "d.csv:3: not UTF-8 text" in refused(CUSTOM_DATASET_PATH=str(tmp_path / "d.csv"))


def test_bytes_inside_of_json_that_are_no_utf8_are_named_by_file_and_line(refused: Any, tmp_path: Path) -> None:
    lines = [json.dumps(row).encode() for row in GOOD]
    lines[2] = lines[2].replace(b'"message', b'"caf\xe9 message')
    (tmp_path / "d.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert "d.jsonl:3: not UTF-8 text" in refused(CUSTOM_DATASET_PATH=str(tmp_path / "d.jsonl"))


def test_a_list_for_a_label_of_validation_is_named(refused: Any, tmp_path: Path) -> None:
    write(tmp_path / "d" / "train.jsonl", GOOD)
    write(tmp_path / "d" / "validation.jsonl", [{"text": "hello", "label": ["books"]}] * 3)
    message = refused(CUSTOM_DATASET_PATH=str(tmp_path / "d"))
    assert "validation row 1: the label is a list, not text or a whole number" in message


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_a_number_that_is_none_is_no_label(refused: Any, tmp_path: Path, value: str) -> None:
    rows = [f'{{"text": "message {number}", "label": {number % 2}}}' for number in range(12)]
    rows[3] = f'{{"text": "hello", "label": {value}}}'
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "train.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    message = refused(CUSTOM_DATASET_PATH=str(tmp_path / "d"))
    assert "train row 4: label" in message
    assert "is not usable" in message


def test_a_label_that_training_never_had_is_named(refused: Any, tmp_path: Path) -> None:
    write(tmp_path / "d" / "train.jsonl", GOOD)
    write(tmp_path / "d" / "validation.jsonl", [*GOOD[:2], {"text": "hello", "label": "rooms"}])
    message = refused(CUSTOM_DATASET_PATH=str(tmp_path / "d"))
    assert "validation row 3: label 'rooms' never occurs in the training split (books, tools)" in message


def test_one_class_is_not_enough(refused: Any, tmp_path: Path) -> None:
    data = write(tmp_path / "train.jsonl", [{"text": "a", "label": "x"}] * 5)
    assert "classification needs two or more" in refused(CUSTOM_DATASET_PATH=str(data))


@pytest.mark.parametrize("label", [{"a": 1}, [["x", "y"]], [{"start": 0, "end": 3, "label": "x"}]])
def test_a_mapping_or_a_list_of_such_is_no_label_and_its_row_is_named(
    refused: Any, tmp_path: Path, label: object
) -> None:
    data = write(tmp_path / "train.jsonl", [{"text": f"message {number}", "label": label} for number in range(6)])
    message = refused(CUSTOM_DATASET_PATH=str(data))
    assert "training row 1: column 'label' contains " in message
    assert "a label must be text or a whole number" in message


@pytest.mark.parametrize(
    "damage",
    [
        {"hidden_size": "wide"},
        {"max_position_embeddings": None},
        {"hidden_dropout_prob": "a"},
        {"pad_token_id": 99999},
        {"id2label": ["a"]},
        {"hidden_act": "zz"},
    ],
)
def test_a_config_json_that_a_library_refuses_is_the_model_s_fault(
    refused: Any, tiny_encoder: Path, tmp_path: Path, damage: dict[str, Any]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps({**config, **damage}), encoding="utf-8")
    message = refused(MODEL_PATH=str(model))
    assert f"MODEL_PATH: {model} cannot be loaded: " in message
    assert "Check the model's files" in message


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        (("config.json",), "has no config.json"),
        (("model.safetensors",), "has no weights"),
        (("tokenizer.json", "vocab.txt"), "has no tokenizer"),
    ],
)
def test_an_incomplete_model_folder_is_named(
    refused: Any, tiny_encoder: Path, tmp_path: Path, removed: tuple[str, ...], message: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    for name in removed:
        (model / name).unlink(missing_ok=True)
    assert message in refused(MODEL_PATH=str(model))


@pytest.mark.parametrize("content", [b"garbage", b"", None])
def test_corrupt_weights_are_named(refused: Any, tiny_encoder: Path, tmp_path: Path, content: bytes | None) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100] if content is None else content)
    assert "MODEL_PATH" in refused(MODEL_PATH=str(model))


def test_a_corrupt_config_is_named(refused: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    (model / "config.json").write_text("{")
    assert "cannot be read as JSON" in refused(MODEL_PATH=str(model))


def test_a_pickle_with_code_in_it_is_not_run(refused: Any, tmp_path: Path) -> None:
    import pickle

    class Payload:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "pwned"),))

    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Payload()))
    assert "could run code" in refused(MODEL_CHECKPOINT=str(tmp_path / "evil.pt"))
    assert not (tmp_path / "pwned").exists()


def test_a_local_path_that_is_not_there_is_no_hub_look_up(refused: Any, tiny_encoder: Path) -> None:
    message = refused(MODEL_PATH=f"{tiny_encoder}x")
    assert "does not exist" in message
    assert f"Did you mean {tiny_encoder}?" in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("package:no_such_package/model", "pip install no-such-package"),
        ("package:adapt_core/model", "has no 'model'"),
        ("package:adapt_core/../../x", "is outside the package"),
        ("package:os.path/x", "import name"),
    ],
)
def test_a_model_in_a_package_must_be_there(refused: Any, given: str, message: str) -> None:
    assert message in refused(MODEL_PATH=given)


def test_an_unreachable_hub_is_told_as_a_hub_look_up(adapt: Any, keys: dict[str, Any], tmp_path: Path) -> None:
    dead = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    model = {**keys, "MODEL_PATH": "google-bert/bert-base-uncased"}
    data = {**{k: v for k, v in keys.items() if k != "CUSTOM_DATASET_PATH"}, "DATASET": "imdb"}
    for config, words in ((model, "./my-model"), (data, "CUSTOM_DATASET_PATH")):
        (tmp_path / "c.yaml").write_text(json.dumps(config), encoding="utf-8")
        for env, reason in (({}, "no connection"), ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set")):
            done = adapt("run", "c.yaml", env={**dead, **env}, timeout=60)
            assert done.returncode == 2, done.stderr
            assert "looked up on the Hugging Face hub, which cannot be reached" in done.stderr
            assert reason in done.stderr
            assert words in done.stderr


def test_push_to_hub_is_tried_before_anything_is_trained(adapt: Any, keys: dict[str, Any], tmp_path: Path) -> None:
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    (tmp_path / "c.yaml").write_text(json.dumps({**keys, "PUSH_TO_HUB": "me/model"}), encoding="utf-8")
    done = adapt("run", "c.yaml", env=env, timeout=60)
    assert done.returncode == 2
    assert "PUSH_TO_HUB" in done.stderr
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_an_output_dir_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"OUTPUT_DIR .* cannot be made"):
        run(OUTPUT_DIR=str(tmp_path / "file" / "run"))


@pytest.mark.parametrize(
    ("format_string", "message"),
    [
        ("{text", "FORMAT_STRING"),
        ("no columns", "uses no column"),
        ("{text.__class__}", "column's name"),
        ("{}", "FORMAT_NAMES"),
    ],
)
def test_a_format_string_that_cannot_be_read_is_refused(refused: Any, format_string: str, message: str) -> None:
    assert message in refused(FORMAT_STRING=format_string)


def test_a_model_with_code_of_its_own_is_not_run_unasked(refused: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    config = json.loads((model / "config.json").read_text())
    del config["model_type"]
    config["auto_map"] = {"AutoConfig": "code.C", "AutoModelForSequenceClassification": "code.M"}
    (model / "config.json").write_text(json.dumps(config))
    (model / "code.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'pwned')!r})\n")
    assert "MODEL_PATH" in refused(MODEL_PATH=str(model))
    assert not (tmp_path / "pwned").exists()
