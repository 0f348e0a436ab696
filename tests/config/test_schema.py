"""`adapt params --schema`: editors accept by it what adapt reads, and mark what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from adapt_core.cli import cli
from adapt_core.config.schema import config_schema
from adapt_core.plugin.registry import Registry

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[2]
LEGACY = ROOT.parent / "shared" / "legacy_configs"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = config_schema(Registry.discover())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(json.loads(json.dumps(schema)))


def faults(validator: Any, text: str) -> list[str]:
    """The top-level key, or the message, of each fault."""
    config = YAML(typ="safe").load(text)
    return [str(error.path[0]) if error.path else error.message for error in validator.iter_errors(config)]


@pytest.mark.parametrize(
    "text",
    [
        "EPOCHS: 3",
        "epochs: 3.5",
        "Epochs: '3'",
        "LR: 1e-4",
        "LR: '1e-4'",
        "LR:",
        "LR: None",
        "LR: ''",
        "DO_TRAIN: yes",
        "DO_TRAIN: 'No'",
        "KEEP: Best",
        "BATCH_SIZE: 4.0",
        "TRACKERS: tensorboard",
        "TRACKERS: [tensorboard]",
        "RESUME_FROM_CHECKPOINT: auto",
        "TRAINING_ARGS: {LR: 1e-4, EPOCHS: 2}",
        "MODEL_TYPE: bert",
        "JOB_ID: 7",
        "load_in_4bit: true",
        "CUSTOM_DATASET_PATH: [a.csv, {path: b.csv, weight: 2}]",
    ],
)
def test_what_adapt_reads_has_no_fault(validator: Any, text: str) -> None:
    assert faults(validator, text) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("LR: high", "LR"),
        ("LR: -1", "LR"),
        ("lr: [1]", "lr"),
        ("BATCH_SIZE: 0", "BATCH_SIZE"),
        ("BATCH_SIZE: 2.5", "BATCH_SIZE"),
        ("KEEP: first", "KEEP"),
        ("DO_TRAIN: perhaps", "DO_TRAIN"),
        ("EPOCHES: 3", "EPOCHES"),
        ("CUSTOM_DATASET_PATH: {path: a.csv, weight: 2}", "CUSTOM_DATASET_PATH"),
    ],
)
def test_what_adapt_refuses_is_marked(validator: Any, text: str, key: str) -> None:
    assert set(faults(validator, text)) == {key}


@pytest.mark.parametrize("file", sorted(LEGACY.glob("*.y*ml")), ids=lambda file: file.name)
def test_configs_of_the_previous_tool_have_no_fault(validator: Any, file: Path) -> None:
    assert faults(validator, file.read_text(encoding="utf-8")) == []


def test_the_example_has_no_fault(validator: Any) -> None:
    assert faults(validator, (ROOT / "examples" / "inbox.yaml").read_text(encoding="utf-8")) == []


def test_a_starter_config_names_the_schema_beside_it_and_has_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.discover()
    if not registry.tasks.names():
        pytest.skip("no task is installed")
    monkeypatch.chdir(tmp_path)
    for task in registry.tasks.names():
        done = CliRunner().invoke(cli, ["init", task, "-o", f"{task}.yaml"], obj=())
        assert done.exit_code == 0, done.output
        text = Path(f"{task}.yaml").read_text(encoding="utf-8")
        first, _, rest = text.partition("\n")
        assert first == "# yaml-language-server: $schema=.adapt-schema.json"
        schema = json.loads(Path(".adapt-schema.json").read_text(encoding="utf-8"))
        assert faults(jsonschema.Draft202012Validator(schema), rest) == []


@pytest.mark.parametrize("there", ["{}", "no JSON", '{"title": "A config of another tool"}'])
def test_a_schema_of_somebody_else_is_left_as_it_is(
    there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Registry.discover().tasks.names()
    if not names:
        pytest.skip("no task is installed")
    monkeypatch.chdir(tmp_path)
    Path(".adapt-schema.json").write_text(there, encoding="utf-8")
    done = CliRunner().invoke(cli, ["init", names[0], "-o", "new.yaml"], obj=())
    assert done.exit_code == 0, done.output
    assert Path(".adapt-schema.json").read_text(encoding="utf-8") == there
    assert "$schema" not in Path("new.yaml").read_text(encoding="utf-8")


def test_each_key_says_what_it_means_and_its_default() -> None:
    found = config_schema(Registry.discover())["properties"]
    assert all(key["description"] for key in found.values())
    assert found["EPOCHS"]["default"] == 2.0
    assert {"enum": ["last", "best", "soup"]} in found["KEEP"]["anyOf"]


def test_names_of_what_is_registered_are_completed_alone_and_in_lists() -> None:
    found = config_schema(Registry.discover())["properties"]
    for key, name in (
        ("TRACKERS", "mlflow"),
        ("EXPORT", "safetensors"),
        ("VERDICT", "groups"),
        ("METRICS", "accuracy"),
    ):
        alone, listed = found[key]["anyOf"][:2]
        assert name in alone["enum"]
        assert (listed["type"], listed["items"]["enum"]) == ("array", alone["enum"])
