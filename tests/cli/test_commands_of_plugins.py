"""Commands that a plugin provides."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapt_core.cli import COMMANDS
from adapt_core.plugin import hookimpl
from adapt_core.plugin.command_spec import CORE_COMMANDS, CommandSpec
from adapt_core.plugin.registry import Provenance, Registry

MODULE = """
import sys
import click
from adapt_core.plugin import CommandSpec, hookimpl

adapt_hook_api = 6


@hookimpl
def adapt_commands():
    return [
        CommandSpec(name="greet", summary="Greet somebody.", implementation="greeter.command:greet"),
        CommandSpec(name="broken", summary="Not there.", implementation="greeter.nowhere:greet"),
        CommandSpec(name="other", summary="No command.", implementation="greeter.command:NAME"),
    ]
"""
COMMAND = """
import click

NAME = "you"


@click.command()
@click.argument("name")
@click.pass_obj
def greet(disabled, name):
    \"\"\"Greet NAME.\"\"\"
    click.echo(f"hello {name}, without {disabled}")
"""


@pytest.fixture
def greeter(tmp_path: Path) -> dict[str, str]:
    """An environment with a plugin that has commands."""
    package, metadata = tmp_path / "greeter", tmp_path / "greeter-1.0.dist-info"
    package.mkdir()
    metadata.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(MODULE, encoding="utf-8")
    (package / "command.py").write_text(COMMAND, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[adapt]\ngreeter = greeter.plugin\n", encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


def test_help_lists_it_apart_and_it_runs_with_the_switches(adapt: Callable[..., Any], greeter: dict[str, str]) -> None:
    told = adapt("--help", env=greeter).stdout
    assert "Commands of plugins:" in told
    assert "Greet somebody." in told.partition("Commands of plugins:")[2]
    assert adapt("greet", "Ada", env=greeter).stdout == "hello Ada, without ()\n"
    assert "Greet NAME." in adapt("greet", "--help", env=greeter).stdout
    off = adapt("-p", "no:greeter", "greet", "Ada", env=greeter)
    assert off.returncode == 2
    assert "No such command 'greet'" in off.stderr


@pytest.mark.parametrize(("name", "cause"), [("broken", "cannot be imported"), ("other", "is no click.Command")])
def test_a_command_that_is_none_is_the_plugin_s_defect(
    adapt: Callable[..., Any], greeter: dict[str, str], name: str, cause: str
) -> None:
    done = adapt(name, env=greeter)
    assert done.returncode == 1
    assert f"adapt {name} of greeter 1.0" in done.stderr
    assert cause in done.stderr


def test_a_known_command_of_a_distribution_that_is_absent_says_which(adapt: Callable[..., Any]) -> None:
    done = adapt("-p", "no:tune", "tune", "c.yaml") if "adapt-tune" in installed() else adapt("tune", "c.yaml")
    assert done.returncode == 2
    assert "pip install adapt-tune" in done.stderr


def installed() -> set[str]:
    """Return the distributions whose plugins are here."""
    return {provenance.distribution for provenance in Registry.discover().provenance.values()}


def test_core_s_names_cannot_be_taken() -> None:
    assert tuple(COMMANDS) == CORE_COMMANDS
    with pytest.raises(ValueError, match="adapt run is a command of core"):
        CommandSpec(name="run", summary="mine", implementation="a.b:c")
    with pytest.raises(ValueError, match="small letters"):
        CommandSpec(name="My Command", summary="mine", implementation="a.b:c")


def test_two_plugins_with_one_name_are_told_apart() -> None:
    registry = Registry()
    spec = CommandSpec(name="greet", summary="mine", implementation="a.b:c")
    for name in ("one", "two"):
        plugin = SimpleNamespace(adapt_commands=hookimpl(lambda: [spec]))
        registry.add(plugin, Provenance(name, f"adapt-{name}", "1.0"))
    assert registry.commands.names() == ["greet"]
    assert "command 'greet' is already registered by adapt-one 1.0" in registry.broken[0].cause
