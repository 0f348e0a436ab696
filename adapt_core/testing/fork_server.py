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
import threading
import types
from contextlib import suppress
from typing import Any, NoReturn


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


def run(program: str) -> int:
    """Run a program as `python -c` does and return its exit code; what Ctrl-C raises goes on."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        exec(compile(program, "<string>", "exec"), sys.modules["__main__"].__dict__)  # noqa: S102 - as python -c
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:  # noqa: BLE001 - the program's own, which ends it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def leave(code: int) -> NoReturn:
    """End this process as those of multiprocessing end: threads are joined, exit functions called, streams flushed.

    The interpreter would take apart every module too, which for those of torch and transformers takes seconds.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(ValueError, OSError):  # closed by the program, or by its reader
            if stream is not None:
                stream.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for the tests; the server ends with them.
    for module in sys.argv[1:]:
        with suppress(ImportError):  # What is not installed here, no program here imports.
            importlib.import_module(module)
    gc.freeze()  # Collections in a child pass over what was imported.
    if (wanted := serve()) is None:
        leave(0)
    become(wanted)
    leave(run(wanted["code"]))
