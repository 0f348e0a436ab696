"""Watching processes: small ones that speak as workers do, without a model."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapt_core.errors import EXIT_DEFECT, AdaptError, DefectError, InputError
from adapt_core.execution import worker
from adapt_core.execution.worker_protocol import Report

from adapt_fsdp.failures import first_failure
from adapt_fsdp.processes import Worker, regroup, started, stop, watch

Spawn = Callable[..., list[Worker]]

SPEAK = (
    "import json, os, subprocess, sys, time\n"
    "from adapt_core.execution.worker_protocol import Report, receive, take_standard_output\n"
    "channel = take_standard_output()\n"
    "def say(**report):\n    channel.write(Report(**report).to_line())\n    channel.flush()\n"
)


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Processes of rank 0, 1, ..., each running some lines; all are ended afterwards."""
    workers: list[Worker] = []

    def begin(*programs: str) -> list[Worker]:
        for rank, lines in enumerate(programs):
            process = subprocess.Popen(
                [sys.executable, "-c", SPEAK + lines],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
            )
            workers.append(Worker(rank, process))
        return workers

    yield begin
    stop(workers)


def cause(workers: list[Worker]) -> AdaptError | None:
    watch(workers, lambda: False)
    return first_failure(workers, 30)


def test_processes_that_end_well_are_no_failure(spawn: Spawn) -> None:
    workers = spawn("say(result='{}')", "say()")
    assert cause(workers) is None
    assert workers[0].report is not None
    assert workers[0].report.result == "{}"


def test_what_a_worker_prints_does_not_disturb_its_report(spawn: Spawn) -> None:
    workers = spawn("print('{\"result\": 1}'); print('words'); os.system('echo more'); say(result='{}')")
    assert cause(workers) is None
    assert b"words" in workers[0].output
    assert b"more" in workers[0].output


def test_a_kill_is_the_cause_of_the_broken_connections_that_others_report(spawn: Spawn) -> None:
    lost = "say(message='Connection closed by peer', of_connection=True)"
    error = cause(spawn(lost, "time.sleep(1); os.kill(os.getpid(), 9)", lost))
    assert isinstance(error, DefectError)
    assert str(error).startswith("rank 1 (process ")
    assert "was killed by SIGKILL (often because memory ran out" in str(error)
    assert "--resume" in str(error)


@pytest.mark.parametrize(("by_input", "kind"), [(True, InputError), (False, DefectError)])
def test_a_worker_s_own_error_keeps_its_kind_and_names_its_rank(
    spawn: Spawn, by_input: bool, kind: type[AdaptError]
) -> None:
    error = cause(spawn("time.sleep(60)", f"say(message='row 3 is empty.', by_input={by_input}, traceback='where')"))
    assert type(error) is kind
    assert str(error).startswith("rank 1: row 3 is empty.")


def test_a_process_without_a_report_is_shown_with_its_last_output(spawn: Spawn) -> None:
    error = cause(spawn("time.sleep(60)", "sys.stderr.write('no such library\\n'); os._exit(3)"))
    assert "rank 1" in str(error)
    assert "exited with code 3 and no report: no such library" in str(error)


def test_where_no_process_failed_by_itself_each_rank_s_location_is_shown(spawn: Spawn) -> None:
    stack = 'File "/y/b.py", line 7, in step\nFile "/x/torch/a.py", line 1, in reduce\n'
    lost = f"say(message='Timed out waiting', of_connection=True, traceback={stack!r})"
    error = cause(spawn(lost, "def forgotten():\n    time.sleep(60)\nforgotten()"))
    assert isinstance(error, DefectError)
    first, *places = str(error).splitlines()
    assert "collective_timeout is 30 s" in first
    assert "Timed out waiting" in first
    assert places[0] == "  rank 0: timed out in /y/b.py:7, step"
    assert places[1].startswith("  rank 1: was still in <string>:")
    assert places[1].endswith(", forgotten")


def test_a_failure_elsewhere_ends_the_watch(spawn: Spawn) -> None:
    workers = spawn("time.sleep(60)")
    watch(workers, lambda: True)
    assert first_failure(workers, 30) is None


def test_children_of_a_worker_end_with_it_and_do_not_delay_the_news(spawn: Spawn) -> None:
    child = "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], close_fds=False)\n"
    workers = spawn(child + "channel.write(f'{p.pid}\\n'); channel.flush(); time.sleep(1); os.kill(os.getpid(), 9)")
    begun = time.monotonic()
    assert "SIGKILL" in str(cause(workers))
    assert time.monotonic() - begun < 30
    stop(workers)
    pid = int(workers[0].lines.split()[0])
    end = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive(pid)


def test_a_worker_ends_when_the_pipe_to_its_launcher_closes(spawn: Spawn) -> None:
    [worker] = spawn("receive()\nwhile True:\n    time.sleep(1)")
    assert worker.process.stdin is not None
    worker.process.stdin.write(b"{}\n")
    worker.process.stdin.flush()
    time.sleep(1)
    assert worker.process.poll() is None
    worker.process.stdin.close()
    assert worker.process.wait(20) < 0


def test_a_worker_is_asked_to_regroup_once_it_has_its_message_and_ends_by_itself(spawn: Spawn) -> None:
    waits = "import threading\nasked = threading.Event()\nreceive(asked.set)\nasked.wait()\nsay(regroups=True)"
    workers = spawn(waits, f"time.sleep(1)\n{waits}")
    for one in workers:
        assert one.process.stdin is not None
        one.process.stdin.write(b"{}\n")
        one.process.stdin.flush()
    regroup(workers)  # for the second: in the pipe together with its message
    watch(workers, lambda: False)
    assert [one.report is not None and one.report.regroups for one in workers] == [True, True]
    assert [one.process.wait(20) for one in workers] == [0, 0]


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            state: Any = stat.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")


def test_a_worker_imports_nothing_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "imported"
    for name in ("torch", "json", "attrs", "adapt_core"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with started([(0, "{}\n")], [dict(os.environ)]) as workers:
        watch(workers, lambda: False)
        assert workers[0].report is not None  # it got as far as reading its message
        assert "KeyError" in str(workers[0].report.message)
    assert not mark.exists()


def test_a_worker_that_a_plugin_ends_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(0)

    sent = io.StringIO()
    monkeypatch.setattr(worker, "take_standard_output", lambda: sent)
    monkeypatch.setattr(worker, "receive", lambda regroup: {})
    monkeypatch.setattr(worker, "_run", leave)
    assert worker.main() == EXIT_DEFECT
    assert "ended the process (exit code 0)" in str(Report.from_line(sent.getvalue()).message)
