"""Nothing that a user can ask for is without its place in the documentation."""

from __future__ import annotations

import re
import shlex

import attrs
import click
import pytest

from adapt_core.cli import cli
from adapt_core.plugin import hookspecs
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult

from .conftest import DISTRIBUTIONS
from .pages import ROOT

DOCS = ROOT / "docs"
FOLDERS = {"task": "tasks", "method": "methods"}


@pytest.mark.usefixtures("everything_installed")
def test_every_task_method_quantizer_and_launcher_has_its_table_on_a_page() -> None:
    registry = Registry.discover()
    text = {page: page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md")}
    for shelf in (registry.tasks, registry.methods, registry.quantizers, registry.launchers):
        for item in shelf:
            if item.provenance.distribution not in DISTRIBUTIONS:
                continue
            mark = f"<!-- made from: {shelf.kind} {item.spec.name} -->"
            pages = [page for page, written in text.items() if mark in written]
            assert len(pages) == 1, mark
            assert pages[0].parent.name == FOLDERS.get(shelf.kind, "docs"), pages[0]


def test_every_hook_is_told_to_plugin_authors() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("adapt_")}
    told = set(re.findall(r"`(adapt_\w+)\(", (DOCS / "plugins.md").read_text(encoding="utf-8")))
    assert hooks
    assert hooks - told == set()


def test_every_key_of_a_result_is_explained() -> None:
    told = set(re.findall(r"`(\w+)`", (DOCS / "run_folder.md").read_text(encoding="utf-8")))
    assert {field.name for field in attrs.fields(RunResult)} - told == set()


def test_commands_within_sentences_exist_with_their_options() -> None:
    """`adapt ...` between backticks in a sentence; words in capitals stand for something."""
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("plugins/*/README.md")]
    written = {command for page in pages for command in re.findall(r"`adapt (\w[^`]*)`", page.read_text("utf-8"))}
    assert len(written) > 20
    assert {command: fault for command in written if (fault := fault_of(command))} == {}


def fault_of(command: str) -> str | None:
    """What is wrong with the words behind `adapt`, if anything."""
    name, *arguments = shlex.split(command)
    if name.isupper():
        return None
    context = click.Context(cli, info_name="adapt")
    found = cli.get_command(context, name)
    if found is None:
        return "no such command"
    try:
        found.make_parser(click.Context(found, info_name=name, parent=context)).parse_args(arguments)
    except click.NoSuchOption as error:
        return error.format_message()
    except click.BadOptionUsage:
        return None  # an option that is named without its value
    return None


def test_a_wrong_command_would_be_found() -> None:
    assert fault_of("run CONFIG --set LR=1 --resume") is None
    assert "No such option" in str(fault_of("run CONFIG --resumed"))
    assert fault_of("train CONFIG") == "no such command"


def test_places_in_the_repository_that_pages_name_are_there() -> None:
    named = {
        place
        for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
        for place in re.findall(
            r"`((?:adapt_\w+|tests|benchmarks|matrix|stress|examples|docs|plugins)/[\w/.*-]*)`", page.read_text("utf-8")
        )
    }
    assert len(named) > 10
    bases = [ROOT, *ROOT.glob("plugins/*")]
    assert {place for place in named if not any(list(base.glob(place.rstrip("/"))) for base in bases)} == set()
