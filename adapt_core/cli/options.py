"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from adapt_core.plugin.registry import Registry
from adapt_core.runtime.progress import VERBOSITY


def config_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument CONFIG, a YAML file."""
    return click.argument("config", type=click.Path())(function)


def set_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --set KEY=VALUE, repeatable."""
    text = "Override a key of the config. VALUE is read as YAML. May be repeated."
    return click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=text)(function)


def strict_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --strict."""
    text = "A documented key that this run does not use is an error, not a remark."
    return click.option("--strict", is_flag=True, help=text)(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")(function)


def traceback_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --traceback; `adapt_core.cli.main` reads it."""
    return click.option("--traceback", is_flag=True, expose_value=False, help="Show Python's traceback of an error.")(
        function
    )


def verbosity_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add -v and -q; `adapt_core.runtime.progress` reads what they set, in worker processes too."""

    def choose(_ctx: click.Context, parameter: click.Parameter, given: bool) -> None:
        if given:
            os.environ[VERBOSITY] = str(parameter.name)

    hidden: dict[str, Any] = {"is_flag": True, "expose_value": False, "callback": choose}
    quiet = click.option("-q", "--quiet", help="Show results, warnings and errors alone.", **hidden)
    verbose = click.option("-v", "--verbose", help="Show details and libraries' warnings.", **hidden)
    return verbose(quiet(function))


@contextmanager
def warnings_shown() -> Iterator[None]:
    """Show adapt's own warnings while the block runs, libraries' only with -v; details with -v, as `adapt run` does."""
    from adapt_core.runtime.logs import WARNINGS, logged_packages, logging_to
    from adapt_core.runtime.progress import make_reporter

    with logging_to([], make_reporter(is_main=True), logged_packages(Registry.discover()), WARNINGS):
        yield


def task_names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the tasks that a shell may complete to."""
    return _beginning(incomplete, Registry.discover(ctx.find_root().obj or ()).tasks.names())


def method_names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the methods that a shell may complete to."""
    return _beginning(incomplete, Registry.discover(ctx.find_root().obj or ()).methods.names())


def _beginning(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in names if name.casefold().startswith(incomplete.casefold())]


def trusted(overrides: tuple[str, ...]) -> bool:
    """Return whether `--set TRUST_REMOTE_CODE=true` was given to a command that takes no other key.

    Raises:
        ConfigError, InputError: another key, or no KEY=VALUE.
    """
    from adapt_core.config.reader import read_overrides
    from adapt_core.config.values import as_bool
    from adapt_core.errors import InputError

    trust = False
    for entry in read_overrides(overrides):
        if entry.key.casefold() != "trust_remote_code":
            raise InputError(
                f"--set {entry.key}: this command takes TRUST_REMOTE_CODE alone; the run's config decides the rest."
            )
        trust = as_bool(entry.value)
    return trust
