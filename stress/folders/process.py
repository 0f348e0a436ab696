"""A command of adapt in a forked process, which is killed, or finds the disk full, at a chosen change of the disk.

Python reports each change (a file opened to be written, a rename, a deletion) to audit hooks before it is made. So the
end can fall between any two changes of a command, however short the time between them is.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

KILLED = -int(signal.SIGKILL)
_CHANGES = frozenset({"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "os.symlink"})
_FULL = frozenset({"os.mkdir", "os.symlink"})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@attrs.frozen
class Ending:
    """How a command is to end.

    Attributes:
        change: at which change of the disk, from 1; never where it is 0.
        full: whether the disk is full from there on, instead of the process being killed.
    """

    change: int = 0
    full: bool = False


@attrs.frozen
class Ended:
    """How a command ended: `code` is negative for a signal; `text` is what it printed."""

    code: int
    text: str


def adapt(arguments: list[str], printed: Path, ending: Ending) -> Ended:
    """Run `adapt ARGUMENTS` to its end, in a process forked from this one."""
    printed.write_bytes(b"")
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            screen = os.open(printed, os.O_WRONLY | os.O_APPEND)
            os.dup2(screen, 1)
            os.dup2(screen, 2)
            sys.argv = ["adapt", *arguments]
            if ending.change:
                sys.addaudithook(_Watch(ending))
            import_module("adapt_core.cli").main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Ended(code, printed.read_text(encoding="utf-8", errors="replace"))


class _Watch:
    """Counts the changes, and ends the process or fails the writes from one of them on."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._seen = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not _changes(event, arguments):
            return
        self._seen += 1
        if self._seen < self._ending.change:
            return
        if not self._ending.full:
            os.kill(os.getpid(), signal.SIGKILL)
        elif event == "open" or event in _FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))


def _changes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event != "open":
        return event in _CHANGES
    path, _, flags = arguments
    return isinstance(path, (str, bytes, os.PathLike)) and bool(flags & _WRITES) and not str(path).startswith("/dev/")
