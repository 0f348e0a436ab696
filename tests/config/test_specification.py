"""The declared parameters against the specification's tables, and core's table of names against both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapt_core.cli.params import describe
from adapt_core.config import known_keys, legacy
from adapt_core.config.core_params.groups import GROUPS
from adapt_core.config.declared import declared
from adapt_core.config.sections import declared_keys
from adapt_core.plugin.params import Parameter, parameters_of
from adapt_core.plugin.registry import Registry

CORE = {key: parameter for group in GROUPS.values() for key, parameter in parameters_of(group).items()}


@pytest.fixture(scope="module")
def table(shared: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads((shared / "spec" / "parameters.json").read_text(encoding="utf-8"))
    return rows


def same_default(parameter: Parameter, printed: str) -> bool:
    default = parameter.default
    if printed == "":
        return True
    if isinstance(default, bool):
        return str(default).casefold() == printed.casefold()
    if isinstance(default, (int, float)):
        return float(printed) == default
    return str(default) == printed


OWNERS = {
    "Methods": "core",
    "Common Training Parameters": "core",
    "LoRA (Low Rank Adaptation)": "method LoRA",
    "DoRA (Weight-Decomposed Low-Rank Adaptation)": "method DoRA",
    "4 bit Quantization": "quantizer bnb_4bit",
    "8 bit Quantization": "quantizer bnb_8bit",
    "DDP arguments": "launcher ddp",
    "FSDP arguments": "launcher fsdp",
    "Text Generation": "task text_generation",
    "Text Classification": "task text_classification",
    "Summarization": "task summarization",
    "Translation": "task translation",
    "Question Answering": "task question_answering",
    "Image Classification": "task image_classification",
    "Object Detection": "task object_detection",
    "Instance Segmentation": "task instance_segmentation",
    "Pose Detection": "task pose_detection",
}
"""Section of the specification -> the heading of `adapt params` that must hold its rows."""

TYPES = {"boolean": "bool", "integer": "int", "string": "str", "array": "list", "dict": "mapping"}
"""Other words of the specification for a type."""

TOLD_BY_HELP = {
    "bnb_4bit_compute_dtype": "float16 on a GPU",
    "num_nodes": "The same as num_machines",
    "num_machines": "default: 1",
    "num_processes": "2 on a CPU",
    "mixed_precision": "follow BF16 and FP16",
    "PREFIX": "'translate English to Romanian: '",
}
"""Keys without a fixed default -> what `adapt params` says instead of the specification's example or GPU default."""


@pytest.fixture(scope="module")
def printed() -> dict[str, dict[str, dict[str, str]]]:
    """What `adapt params` prints: heading without the distribution -> folded key -> row."""
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for owned in declared(Registry.discover()):
        heading = re.sub(r" [(].*|:.*", "", owned.title)
        rows = map(describe, owned.parameters)
        tables.setdefault(heading, {}).update({row["key"].casefold(): row for row in rows})
    missing = set(OWNERS.values()) - set(tables)
    if missing:
        pytest.skip(f"needs all five distributions: {', '.join(sorted(missing))} not installed")
    return tables


def test_adapt_params_shows_every_row_of_the_specification(
    table: list[dict[str, str]], printed: dict[str, dict[str, dict[str, str]]]
) -> None:
    """Name, type, default and help of each, under the task, method, quantizer or launcher that owns it."""
    assert len(table) == 140
    wrong = []
    for row in table:
        shown = printed[OWNERS[row["section"]]].get(row["name"].casefold())
        if shown is None:
            wrong.append((row["section"], row["name"], "is not shown"))
            continue
        if not types_agree(row["type"], shown["type"]):
            wrong.append((row["section"], row["name"], f"{row['type']} is shown as {shown['type']}"))
        if not default_agrees(row, shown):
            wrong.append((row["section"], row["name"], f"{row['default']!r} is shown as {shown['default']!r}"))
        if len(shown["help"].split()) < 2:
            wrong.append((row["section"], row["name"], f"is not explained: {shown['help']!r}"))
    assert wrong == []


def test_the_exceptions_are_needed(table: list[dict[str, str]], printed: dict[str, dict[str, dict[str, str]]]) -> None:
    for name in TOLD_BY_HELP:
        row = next(row for row in table if row["name"] == name)
        assert printed[OWNERS[row["section"]]][name.casefold()]["default"] == ""


def types_agree(specified: str, shown: str) -> bool:
    """Whether each word of the specified type is one of the shown type's (EPOCHS, an int, may be fractional here)."""
    words = [TYPES.get(word.casefold(), word.casefold()) for word in specified.split(" or ") if word]
    return all(word in shown.split() or (word == "int" and "float" in shown.split()) for word in words)


def default_agrees(row: dict[str, str], shown: dict[str, str]) -> bool:
    """Whether the specified default is shown, as the default or as what turns a switch on, or is told by the help."""
    specified = {"Fasle": "false", "None": ""}.get(row["default"], row["default"])
    if row["name"] in TOLD_BY_HELP:
        return TOLD_BY_HELP[row["name"]] in shown["help"]
    if row["default"] == "" or specified.casefold() in (shown["default"].casefold(), shown["on"]):
        return True
    try:
        return float(specified) == float(shown["default"])
    except ValueError:
        return False


def test_every_common_training_parameter_is_core_s_with_the_specified_default(table: list[dict[str, str]]) -> None:
    rows = [row for row in table if row["section"] == "Common Training Parameters"]
    assert len(rows) >= 20
    for row in rows:
        parameter = CORE[row["name"].casefold()]
        assert same_default(parameter, row["default"]), row


def test_every_name_of_the_specification_is_known(table: list[dict[str, str]]) -> None:
    known = declared_keys(Registry.discover())
    assert [row["name"] for row in table if row["name"].casefold() not in known] == []


def test_every_key_of_the_legacy_files_is_known(shared: Path) -> None:
    known = declared_keys(Registry.discover())
    unknown = set()
    for path in (shared / "legacy_configs").iterdir():
        yaml = YAML(typ="safe", pure=True)
        yaml.allow_duplicate_keys = True
        unknown |= {key for key in yaml.load(path.read_text(encoding="utf-8")) if key.casefold() not in known}
    assert unknown == set()


def test_every_honoured_legacy_key_is_declared_by_core_or_documented_for_a_plugin() -> None:
    lasting = {**legacy.ALIASES, **legacy.REWRITTEN}
    for key in legacy.HONOURED:
        assert lasting.get(key, key) in CORE or lasting.get(key, key) in known_keys.OWNERS, key


def test_no_key_is_both_honoured_and_without_effect() -> None:
    assert set(legacy.HONOURED) & set(legacy.WITHOUT_EFFECT) == set()
    assert set(CORE) & set(legacy.WITHOUT_EFFECT) == set()


def test_core_s_table_of_names_agrees_with_what_the_installed_plugins_declare() -> None:
    registry = Registry.discover()
    shelves: list[Any] = [registry.tasks, registry.methods, registry.quantizers, registry.launchers]
    for item in (item for shelf in shelves for item in shelf):
        distribution = item.provenance.distribution
        if not distribution.startswith("adapt-") or distribution == "adapt-core":
            continue
        declared = set(parameters_of(item.params_class()))
        assert declared <= known_keys.keys_of(distribution, item.spec.name), (item.spec.name, "missing in known_keys")


def test_every_parameter_is_explained() -> None:
    for parameter in CORE.values():
        assert parameter.declaration.help.endswith((".", ")")), parameter.key
