"""The log of a run: adapt and its plugins speak on the screen and in `log.txt`, libraries warn in `log.txt`."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adapt_core.errors import InputError
from adapt_core.run_folder.inputs import input_paths
from adapt_core.run_folder.names import LOG, MARKER, NAMES
from adapt_core.runtime.plain_text import visible
from adapt_core.runtime.progress import ProgressReporter, verbosity

if TYPE_CHECKING:
    from adapt_core.config.plan import Plan
    from adapt_core.plugin.registry import Registry
    from adapt_core.run_folder.paths import RunFolder

FILE_ONLY = {"file_only": True}
"""`extra=FILE_ONLY` keeps a record off the screen, where the CLI shows the error itself."""

_LEVELS = {"quiet": logging.WARNING, "normal": logging.INFO, "verbose": logging.DEBUG}
WARNINGS = {**_LEVELS, "normal": logging.WARNING}
"""Levels of the screen, by verbosity, where a command has a result to show and no steps to tell."""

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LINE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: ")
_HEAD = 200


class _VisibleFormatter(logging.Formatter):
    """Lines of a log file, which a terminal may show."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _ToScreen(logging.Handler):
    def __init__(self, reporter: ProgressReporter, level: int) -> None:
        super().__init__(level)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "file_only", False):
            return
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        self._reporter.message(f"{prefix}{record.getMessage()}")


class _ToFile(logging.FileHandler):
    """A log file. A write error is reported once; the run's own error follows from elsewhere."""

    def __init__(self, file: str | Path, reporter: ProgressReporter) -> None:
        super().__init__(file, encoding="utf-8")
        self._reporter = reporter
        self._told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._tell(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._reporter.message(
                f"warning: the log {self.baseFilename} cannot be written: {error.strerror or error}."
            )


class _From:
    """Passes records of the named packages at `own`, and of everything else at `others`."""

    def __init__(self, packages: Iterable[str], others: int, own: int = logging.INFO) -> None:
        self._packages = frozenset(packages)
        self._others, self._own = others, own

    def filter(self, record: logging.LogRecord) -> bool:
        ours = record.name.partition(".")[0] in self._packages
        return record.levelno >= (self._own if ours else self._others)


@contextmanager
def logging_to(
    files: Iterable[str | Path],
    reporter: ProgressReporter,
    packages: Iterable[str],
    levels: Mapping[str, int] = _LEVELS,
) -> Iterator[None]:
    """Send log records to files and screen while the block runs; the logging set-up before is restored.

    Args:
        files: appended to; their folders must exist.
        screen: gets the records of `packages` alone; when quiet, their warnings; when verbose, their details and the
            warnings of everything else.
        packages: top-level packages of adapt and its plugins.
        levels: of what the screen gets, by verbosity.

    Raises:
        InputError: a file cannot be written.
    """
    packages = tuple(packages)
    root = logging.getLogger()
    level_shown = levels[verbosity()]
    handlers: list[logging.Handler] = [_ToScreen(reporter, level_shown)]
    verbose = verbosity() == "verbose"
    others = logging.WARNING if verbose else logging.CRITICAL
    handlers[0].addFilter(_From(packages, others, level_shown).filter)
    for file in files:
        try:
            to_file = _ToFile(file, reporter)
        except OSError as error:
            raise InputError(
                f"the log {file} cannot be written: {error.strerror or error}."
                " Make it writable, or set another LOGGING_PATH."
            ) from None
        to_file.setFormatter(_VisibleFormatter(_FORMAT))
        to_file.addFilter(_From(packages, others=logging.WARNING).filter)
        handlers.append(to_file)
    level = root.level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(min(logging.INFO, level_shown))
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def log_files(plan: Plan, folder: RunFolder) -> list[Path]:
    """Return the files that the run's log is written to: `log.txt`, and LOGGING_PATH where it is another file.

    Raises:
        InputError: LOGGING_PATH is a file that is no log, or one that the run reads or writes otherwise.
    """
    if not plan.run.logging_path:
        return [folder.log]
    second = Path(plan.run.logging_path).expanduser().absolute()
    reason = _why_not_a_log(second, plan, folder)
    if reason:
        raise InputError(f"LOGGING_PATH {second} {reason}. Give the path of a new file, or of an earlier log.")
    return [folder.log] if second.resolve() == folder.log.resolve() else [folder.log, second]


def _why_not_a_log(path: Path, plan: Plan, folder: RunFolder) -> str | None:
    resolved, run = path.resolve(), folder.path.resolve()
    if resolved.exists() and not resolved.is_file() and not resolved.is_dir():
        return None  # a device or a pipe, such as /dev/stdout
    if path.is_symlink():
        return "is a link, and nothing is written through links"
    if path.is_dir():
        return "is a folder"
    top = resolved.relative_to(run).parts[0] if resolved.is_relative_to(run) else ""
    if (top in NAMES and top != LOG) or top.startswith((MARKER.removesuffix(".json"), ".replaced-")):
        return f"is {top} of OUTPUT_DIR, which the run writes itself"
    inputs = [given.resolve() for key, given in input_paths(plan).items() if key.startswith("MODEL")]
    if any(resolved.is_relative_to(given) for given in inputs):
        return "is in the folder of the base model"
    try:
        with path.open("rb") as file:
            begun = file.read(_HEAD)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return "is not a log of adapt, and would be written to" if begun and not _LINE.match(begun) else None


def logged_packages(registry: Registry) -> set[str]:
    """Return the top-level packages whose log records belong to the run's log: core's and each plugin's."""
    return {"adapt_core", *(registry.module_of(name) for name in registry.provenance)}
