"""The declared parameters against the specification's tables, and core's table of names against both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapt_core.config import known_keys, legacy
from adapt_core.config.core_params import GROUPS
from adapt_core.config.flattening import declared_keys
from adapt_core.parameters import Parameter, parameters_of
from adapt_core.registry import Registry

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
    for key in legacy.HONOURED:
        assert legacy.ALIASES.get(key, key) in CORE or legacy.ALIASES.get(key, key) in known_keys.OWNERS, key


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
        declared = set(parameters_of(item.spec.params))
        assert declared <= known_keys.keys_of(distribution, item.spec.name), (item.spec.name, "missing in known_keys")


def test_every_parameter_is_explained() -> None:
    for parameter in CORE.values():
        assert parameter.declaration.help.endswith((".", ")")), parameter.key
