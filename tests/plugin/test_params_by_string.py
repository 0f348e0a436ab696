"""Params classes that a spec names by an import string: loaded when parameters are asked for, and no sooner."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from adapt_core.cli import cli
from adapt_core.config.reader import read_text
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.plugin import registry as registry_module
from adapt_core.plugin.entry_points import PluginEntry
from adapt_core.plugin.params import param
from adapt_core.plugin.registry import Registered, Registry
from adapt_core.plugin.specs import LauncherSpec, MethodSpec, QuantizerSpec

from .. import fakes

HERE = __name__


@attrs.frozen
class TasteParams:
    """Parameters named by a string."""

    taste: int = param(3, "How much.", ge=1)


@attrs.frozen
class UndeclaredParams:
    """A field that is not declared with param()."""

    taste: int = 3


WRONG = [
    ("no_such_module.params:TasteParams", "ModuleNotFoundError: No module named 'no_such_module'"),
    (f"{HERE}:TastParams", f"AttributeError: module '{HERE}' has no attribute 'TastParams'"),
    (f"{HERE}:WRONG", "TypeError: not an attrs class of param() fields"),
    (f"{HERE}:UndeclaredParams", "TypeError: UndeclaredParams.taste is not declared with"),
    ("leaving_params:TasteParams", "SystemExit: 0"),
]


@pytest.fixture(autouse=True)
def leaving(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaving_params.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


def config(text: str) -> RunConfig:
    return RunConfig(tuple(read_text(f"MODEL_PATH: m\nCUSTOM_DATASET_PATH: d\n{text}", "c.yaml")))


def specs(params: str) -> dict[str, list[Any]]:
    """Return one spec of each kind, all with these params."""
    common = {"summary": "", "implementation": "x:Y", "params": params}
    return {
        "adapt_tasks": [fakes.task("tasting", params=params)],
        "adapt_methods": [MethodSpec(name="tasted", **common)],
        "adapt_quantizers": [QuantizerSpec(name="tasted", switch="LOAD_TASTED", bits=2, **common)],
        "adapt_launchers": [LauncherSpec(name="tasted", switch="TASTED", **common)],
    }


CHOSEN = ["TASK: tasting", "method: tasted", "launcher: tasted", "LOAD_TASTED: true", "TASTED: true"]


def with_words(params: str) -> Registry:
    hooks = specs(params)
    return fakes.registry(**{**hooks, "adapt_tasks": [*hooks["adapt_tasks"], fakes.task()]})


@pytest.mark.parametrize("item", list(Registry.discover()), ids=lambda item: item.spec.name)
def test_each_installed_spec_names_a_params_class(item: Registered[Any]) -> None:
    assert attrs.has(item.params_class())


def test_discovery_loads_no_params_that_are_named_by_a_string() -> None:
    code = "import json, sys; from adapt_core.plugin.registry import Registry; Registry.discover(); " + (
        "print(json.dumps([name for name in sys.modules if name.startswith('adapt_')]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(found.stdout.splitlines()[-1]))
    named = {item.spec.params.partition(":")[0] for item in Registry.discover() if isinstance(item.spec.params, str)}
    assert "adapt_core.methods.params" in named
    assert not named & loaded


def test_parameters_named_by_a_string_are_read_like_any_other() -> None:
    registry = with_words(f"{HERE}:TasteParams")
    plan = resolve(config("TASK: words\nmethod: tasted\ntaste: 7\n"), registry)
    assert plan.method.params == TasteParams(taste=7)
    with pytest.raises(ConfigError, match="taste"):
        resolve(config("TASK: words\nmethod: tasted\ntaste: 0\n"), registry)


@pytest.mark.parametrize(("params", "cause"), WRONG)
@pytest.mark.parametrize("chosen", CHOSEN)
def test_a_run_that_chooses_params_that_cannot_be_loaded_is_told_plugin_and_string(
    chosen: str, params: str, cause: str
) -> None:
    task = "" if chosen.startswith("TASK") else "TASK: words\n"
    with pytest.raises(ConfigError) as caught:
        resolve(config(f"{task}{chosen}\ntaste: 7\n"), with_words(params))
    told = str(caught.value)
    assert f"of adapt-tests 2.0 cannot be used: its params {params!r} cannot be loaded ({cause}" in told
    assert "adapt -p no:tests" in told
    assert "unknown key" not in told


@pytest.mark.parametrize(("params", "cause"), WRONG)
def test_other_runs_go_on_and_what_is_broken_is_known(params: str, cause: str) -> None:
    registry = with_words(params)
    assert resolve(config("TASK: words\n"), registry).task.name == "words"
    assert {name for broken in registry.broken for name in broken.names} == {"tasting", "tasted"}
    assert all(cause in broken.cause for broken in registry.broken)


def test_adapt_params_lists_what_it_can_and_says_what_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "typing_error.py").write_text(
        "from adapt_core.plugin import MethodSpec, hookimpl\n\n@hookimpl\ndef adapt_methods():\n"
        "    return [MethodSpec(name='Tasted', summary='', implementation='a:B', params='typing_error:NoParams_')]\n",
        encoding="utf-8",
    )
    entries = [PluginEntry("core", "adapt_core.builtin"), PluginEntry("typing", "typing_error", "adapt-typing", "0.1")]
    monkeypatch.setattr(registry_module, "plugin_entries", lambda group: entries)
    every = CliRunner().invoke(cli, ["params"], obj=(), catch_exceptions=False)
    assert "LAYERS" in every.output.upper()
    assert "broken: adapt-typing 0.1 (typing)" in re.sub(r"\s+", " ", every.output)
    named = CliRunner().invoke(cli, ["params", "tasted"], obj=())
    assert "its params 'typing_error:NoParams_' cannot be loaded" in str(named.exception)
