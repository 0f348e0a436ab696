"""The program of a process that imports modules once and forks a child for each program that it is sent.

It runs as a script of its own (`adapt_core.testing.forks` starts it) and imports nothing of adapt by itself, so that a
child may check that adapt was not imported. A line of JSON on standard input is a request, a line on standard output
its answer:

    {"code", "arguments", "folder", "environment", "streams"}    start a program on three files; the answer is its pid
    {"wait": pid}                                                its exit code, or null while it runs
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import sys
import types
from contextlib import suppress
from typing import Any


def serve() -> dict[str, Any] | None:
    """Answer requests until standard input ends, and return None; in a child, return the program that it is to run."""
    while line := sys.stdin.readline():
        request = json.loads(line)
        if "wait" in request:
            pid, status = os.waitpid(request["wait"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                return dict(request)
        print(json.dumps(answer), flush=True)
    return None


def become(program: dict[str, Any]) -> None:
    """Give this process the streams, folder, environment and arguments of a new interpreter that runs a program."""
    os.setsid()
    for number, name in enumerate(program["streams"]):
        opened = os.open(name, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(program["environment"])
    os.chdir(program["folder"])
    sys.argv[:] = ["-c", *program["arguments"]]
    sys.path.insert(0, "")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for the tests; the server ends with them.
    for module in sys.argv[1:]:
        with suppress(ImportError):  # What is not installed here, no program here imports.
            importlib.import_module(module)
    gc.freeze()  # Collections in a child pass over what was imported,
    atexit.register(gc.unfreeze)  # and the end of the interpreter does not.
    if (wanted := serve()) is not None:
        become(wanted)
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(wanted["code"], "<string>", "exec"), sys.modules["__main__"].__dict__)  # noqa: S102 - as python -c
