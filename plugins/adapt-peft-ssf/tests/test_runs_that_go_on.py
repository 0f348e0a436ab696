"""START_FROM: a run goes on from the adapter, or the model, of a finished one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import ConfigError, InputError, InterruptedRunError

from .jobs import config

pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")

METHODS: dict[str, dict[str, Any]] = {
    "LoRA": {"method": "LoRA", "r": 4},
    "LoRA whose start moved a part of the base": {"method": "LoRA", "init_lora_weights": "pissa"},
    "LoRA whose start is from data": {"method": "LoRA", "r": 4, "init_lora_weights": "corda", "start_rows": 32},
    "DoRA": {"method": "DoRA", "r": 4},
    "SSF": {"method": "SSF"},
    "peft": {"method": "peft", "peft_name": "IA3"},
    "full": {"method": "full", "LR": 1e-3},
    "last_layer": {"method": "last_layer"},
}


def new_data(keys: dict[str, Any], output: Path, start: Path, **more: Any) -> dict[str, Any]:
    """The data, schedule and folder of a run that goes on: no model, no method."""
    kept = {key: keys[key] for key in keys if key not in {"TASK", "MODEL_PATH", *METHODS["LoRA"], "init_lora_weights"}}
    kept = {key: kept[key] for key in kept if key not in ("peft_name", "start_rows")}
    return {**kept, "OUTPUT_DIR": str(output), "START_FROM": str(start), "EPOCHS": 1, **more}


@pytest.mark.parametrize("name", METHODS)
def test_it_begins_where_the_other_run_ended_and_learns_on(
    name: str, tiny_encoder: Path, inbox: Path, tmp_path: Path
) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "first", **METHODS[name])
    first = adapt_core.run(keys)
    second = adapt_core.run(new_data(keys, tmp_path / "second", tmp_path / "first"))
    assert second.method == first.method
    assert second.metrics["before"]["loss"] == pytest.approx(first.metrics["after"]["loss"], abs=1e-4)
    assert second.metrics["after"]["loss"] != pytest.approx(second.metrics["before"]["loss"], abs=1e-6)
    assert second.training_check["verdict"] == "learned"
    assert second.training_check["frozen_changed"] == 0
    shutil.rmtree(tmp_path / "first" / "checkpoints")
    if (tmp_path / "second" / "adapter").is_dir():
        shutil.rmtree(tmp_path / "first")
        adapter = json.loads((tmp_path / "second" / "adapter" / "adapter_config.json").read_text())
        assert adapter["base_model_name_or_path"] == str(tiny_encoder)
    answers = adapt_core.predict(tmp_path / "second", ["Where do I find the laser cutter?"])
    assert len(answers) == 1


def test_a_run_that_goes_on_is_resumed_to_the_same_end(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "first", method="LoRA", dropout=0.0)
    adapt_core.run(keys)
    second = new_data(keys, tmp_path / "second", tmp_path / "first", EPOCHS=2)
    second.pop("dropout", None)
    whole = adapt_core.run({**second, "OUTPUT_DIR": str(tmp_path / "whole")})
    with pytest.raises(InterruptedRunError):
        adapt_core.run({**second, "STOP_AFTER": "4 steps"})
    resumed = adapt_core.run(second, resume=True)
    assert resumed.metrics["after"]["loss"] == pytest.approx(whole.metrics["after"]["loss"], abs=1e-5)
    assert resumed.metrics["before"] == whole.metrics["before"]


def test_a_model_trained_in_full_may_go_on_with_an_adapter(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "first", method="full", LR=1e-3)
    first = adapt_core.run(keys)
    second = adapt_core.run(new_data(keys, tmp_path / "second", tmp_path / "first", method="LoRA", r=2))
    assert second.method == "LoRA"
    assert second.metrics["before"]["loss"] == pytest.approx(first.metrics["after"]["loss"], abs=1e-4)


def test_on_a_quantized_base_too(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    keys = config(tiny_encoder, inbox, tmp_path / "first", method="LoRA", load_in_4bit=True)
    first = adapt_core.run(keys)
    started = new_data(keys, tmp_path / "second", tmp_path / "first")
    del started["load_in_4bit"]
    second = adapt_core.run(started)
    assert second.quantization == "bnb_4bit"
    assert second.metrics["before"]["loss"] == pytest.approx(first.metrics["after"]["loss"], abs=1e-4)


@pytest.fixture(scope="module")
def finished(tiny_encoder: Path, inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    keys = config(tiny_encoder, inbox, tmp_path_factory.mktemp("finished") / "run", method="LoRA", r=4, MAX_STEPS=2)
    adapt_core.run(keys)
    return keys


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"r": 8}, "is 4 in the run of START_FROM"),
        ({"target_modules": ["query"]}, "is not given in the run of START_FROM"),
        ({"method": "DoRA"}, "trained an adapter by LoRA, which goes on"),
        ({"FULL_FINE_TUNING": True}, "trained an adapter by LoRA, which goes on"),
        ({"MODEL_PATH": "bert-base-uncased"}, "in the run of START_FROM"),
        ({"TASK": "text_generation"}, "'text_classification' in the run of START_FROM"),
        ({"START_FROM": "nowhere"}, "is not a run folder"),
    ],
)
def test_what_contradicts_the_run_is_told_at_once(
    more: dict[str, Any], said: str, finished: dict[str, Any], tmp_path: Path
) -> None:
    start = new_data(finished, tmp_path / "second", Path(finished["OUTPUT_DIR"]))
    with pytest.raises(ConfigError, match=said):
        adapt_core.run({**start, **more})
    same = adapt_core.check({**start, "r": 4, "method": "lora", "MODEL_PATH": finished["MODEL_PATH"]})
    assert same is not None


def test_a_run_that_is_not_finished_or_whose_model_is_a_pickle_is_refused(
    finished: dict[str, Any], tmp_path: Path
) -> None:
    unfinished = tmp_path / "unfinished"
    shutil.copytree(finished["OUTPUT_DIR"], unfinished)
    (unfinished / "result.json").unlink()
    with pytest.raises(ConfigError, match="is not finished"):
        adapt_core.run(new_data(finished, tmp_path / "second", unfinished))
    pickled = {**finished, "method": "full", "SAVE_METHOD": "full_torch_model", "OUTPUT_DIR": str(tmp_path / "pickled")}
    del pickled["r"]
    adapt_core.run(pickled)
    with pytest.raises(ConfigError, match="is a pickle"):
        adapt_core.run(new_data(finished, tmp_path / "second", tmp_path / "pickled"))


def rows(path: Path, source: Path, **renamed: str) -> Path:
    lines = [json.loads(line) for line in (source / "train.jsonl").open(encoding="utf-8")]
    kept = [{**line, "label": renamed.get(line["label"], line["label"])} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept if line["label"] != "-"), encoding="utf-8")
    return path


def test_an_unknown_class_is_told_before_training(finished: dict[str, Any], inbox: Path, tmp_path: Path) -> None:
    label = json.loads((inbox / "train.jsonl").open(encoding="utf-8").readline())["label"]
    start = new_data(finished, tmp_path / "second", Path(finished["OUTPUT_DIR"]))
    new = {**start, "CUSTOM_DATASET_PATH": str(rows(tmp_path / "new.jsonl", inbox, **{label: "never seen"}))}
    del new["MAX_TRAIN_SAMPLES"]
    with pytest.raises(InputError, match=r"the data has 1 class \(never seen\) that the model of the run does not"):
        adapt_core.run(new)


def test_an_adapter_goes_on_with_fewer_classes_and_keeps_all(
    finished: dict[str, Any], inbox: Path, tmp_path: Path
) -> None:
    first = Path(finished["OUTPUT_DIR"])
    known = json.loads((first / "adapter" / "data.json").read_text(encoding="utf-8"))["labels"]
    fewer = str(rows(tmp_path / "fewer.jsonl", inbox, **{known[0]: "-"}))
    start = new_data(finished, tmp_path / "second", first, CUSTOM_DATASET_PATH=fewer, LR=1e-7, MAX_STEPS=1)
    result = adapt_core.run(start)
    assert result.data["classes"] == len(known)
    assert json.loads((tmp_path / "second" / "adapter" / "data.json").read_text(encoding="utf-8"))["labels"] == known
    texts = ["Where do I find the laser cutter?", "My loan is overdue."]
    before, after = (adapt_core.predict(folder, texts) for folder in (first, tmp_path / "second"))
    assert [found["label"] for found in after] == [found["label"] for found in before]


def test_a_damaged_adapter_is_told(finished: dict[str, Any], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(finished["OUTPUT_DIR"], damaged)
    (damaged / "adapter" / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"adapter in .* cannot be loaded"):
        adapt_core.run(new_data(finished, tmp_path / "second", damaged))
