"""A forked program behaves as one that `python -c` runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapt_core.testing.forks import COMMAND, ForkServer


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    started = ForkServer("decimal", "no_such_module")
    yield started
    started.close()


PROGRAM = """\
import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), os.environ.get("COLOUR"), sys.path[0], __name__, sys.stdin.read()]))
print("a remark", file=sys.stderr)
sys.exit(3)
"""


def test_it_sees_and_answers_what_a_process_of_its_own_would(server: ForkServer, tmp_path: Path) -> None:
    given = "one\ntwo\n"
    forked = server.run(PROGRAM, "a", "b c", folder=tmp_path, environment={"COLOUR": "red"}, given=given.encode())
    plain = subprocess.run(
        [sys.executable, "-c", PROGRAM, "a", "b c"],
        cwd=tmp_path,
        env={"COLOUR": "red"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (forked.returncode, forked.stdout, forked.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert json.loads(forked.stdout) == [["-c", "a", "b c"], str(tmp_path), "red", "", "__main__", given]


def test_its_imports_are_done_and_nothing_of_adapt_among_them(server: ForkServer, tmp_path: Path) -> None:
    code = "import sys; print('decimal' in sys.modules, any(name.startswith('adapt') for name in sys.modules))"
    assert server.run(code, folder=tmp_path).stdout == "True False\n"


def test_what_one_program_changes_no_other_sees(server: ForkServer, tmp_path: Path) -> None:
    server.run("import decimal; decimal.mark = 1", folder=tmp_path)
    assert server.run("import decimal; print(hasattr(decimal, 'mark'))", folder=tmp_path).stdout == "False\n"


def test_an_exception_ends_it_with_1_and_a_traceback(server: ForkServer, tmp_path: Path) -> None:
    done = server.run("import atexit; atexit.register(print, 'the end'); raise KeyError('lost')", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "the end\n")
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("KeyError: 'lost'\n")


ENDS = {
    "threads and exit functions": (
        "import atexit, threading, time\n"
        "atexit.register(print, 'last')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n"
        "print('main', end=' ')\n"
    ),
    "a pool": "import concurrent.futures as f; f.ThreadPoolExecutor(1).submit(print, 'pooled')",
    "a reason": "import sys; print('out'); sys.exit('a reason')",
    "nothing": "import sys; sys.exit()",
    "a large code": "import sys; sys.exit(259)",
    "a negative code": "import sys; sys.exit(-1)",
    "a closed stream": "import sys; print('out'); sys.stdout.close()",
}


@pytest.mark.parametrize("program", ENDS.values(), ids=ENDS)
def test_it_ends_as_a_process_of_its_own_would(server: ForkServer, tmp_path: Path, program: str) -> None:
    plain = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    forked = server.run(program, folder=tmp_path)
    assert (forked.returncode, forked.stdout, forked.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_a_signal_ends_it(server: ForkServer, tmp_path: Path, number: int, code: int) -> None:
    program = server.start("import time; print('ready', flush=True); time.sleep(60)", folder=tmp_path)
    program.wait_until(lambda: "ready" in program.stdout, 60)
    program.send_signal(number)
    assert program.wait(30) == code
    assert ("KeyboardInterrupt" in program.stderr) == (number == signal.SIGINT)


def test_one_that_does_not_end_in_time_is_killed(server: ForkServer, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        server.run("import time; time.sleep(60)", folder=tmp_path, timeout=0.2)


def test_a_condition_that_never_holds_ends_it(server: ForkServer, tmp_path: Path) -> None:
    program = server.start("import time; time.sleep(60)", folder=tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait_until(lambda: False, 0.2)
    assert program.wait(30) == -9
    with pytest.raises(RuntimeError, match="has ended with -9"):
        program.wait_until(lambda: False, 30)


def test_close_kills_what_still_runs_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child: print(os.getpid(), child, flush=True)\n"
        "time.sleep(600)\n"
    )
    server = ForkServer()
    program = server.start(code, folder=tmp_path)
    program.wait_until(lambda: program.stdout.endswith("\n"), 60)
    pids = [int(pid) for pid in program.stdout.split()]
    assert all(map(_runs, pids))
    server.close()
    end = time.monotonic() + 60
    while any(map(_runs, pids)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_a_server_that_has_ended_is_told_with_its_exit_code(tmp_path: Path) -> None:
    server = ForkServer()
    server.run("", folder=tmp_path)
    os.kill(int(server.run("import os; print(os.getppid())", folder=tmp_path).stdout), signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the fork server has ended with exit code -9"):
            server.run("", folder=tmp_path)
    server.close()


def test_what_the_first_test_sets_is_not_there_when_modules_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
    server = ForkServer("zoneinfo")
    code = "import os, zoneinfo; print(os.environ['PYTHONTZPATH'] in zoneinfo.TZPATH)"
    done = server.run(code, folder=tmp_path)
    server.close()
    assert done.stdout == "False\n"


def test_the_command_runs_in_it(server: ForkServer, tmp_path: Path) -> None:
    done = server.run(COMMAND, "no-such-command", folder=tmp_path)
    assert done.returncode == 2
    assert "no-such-command" in done.stderr
