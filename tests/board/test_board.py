"""adapt board: what it finds and answers, what it refuses, and how a real browser shows it."""

from __future__ import annotations

import gc
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapt_core.board.pages import Board
from adapt_core.board.runs import Runs
from adapt_core.board.server import BoardServer
from adapt_core.errors import InputError
from adapt_core.run_folder.metric_lines import MetricLines
from adapt_core.run_folder.names import MARKER
from adapt_core.run_folder.paths import RunFolder

from .. import fakes
from ..report.test_comparison import make_run
from ..report.test_page import luminance, plan

EVIL = "<img src=x onerror=alert(1)>"


def training_run(path: Path, steps: int = 3) -> RunFolder:
    """A run that is training: its folder is marked and locked, it has no result yet."""
    folder = RunFolder(path)
    folder.prepare()
    folder.write_config(plan(path, method="LoRA"))
    (path / MARKER).write_text("{}", encoding="utf-8")
    (path / ".adapt-run.lock").touch()
    for step in range(1, steps + 1):
        logged(folder, step)
    return folder


def logged(folder: RunFolder, step: int) -> None:
    line = {"phase": "train", "step": step, "epoch": step / 10, "loss": 1 / step}
    with folder.metrics.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two finished runs, one of them in a folder of its own, one that trains, and one with a hostile name."""
    place = tmp_path / "runs"
    for name, accuracy in (("first", 0.9), ("sweep/second", 0.8), (EVIL, 0.7)):
        made = make_run(place / name.replace("/", os.sep) if name != EVIL else place / EVIL, accuracy, 0.5)
        (made / MARKER).write_text("{}", encoding="utf-8")
    (place / "first" / "report.html").write_text("<!DOCTYPE html><script>x</script>first's own", encoding="utf-8")
    training_run(place / "third")
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (place / "sweep" / "second" / "report.html").symlink_to(tmp_path / "secret")
    (place / "link").symlink_to(tmp_path)
    return place


@pytest.fixture
def server(runs: Path) -> Iterator[BoardServer]:
    with BoardServer(Board(runs, fakes.registry()), 0) as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def get(server: BoardServer, address: str, method: str = "GET", **headers: str) -> tuple[int, str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, address, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode("utf-8")
    connection.close()
    return answer.status, body, answer.headers


# ---- what it finds ----


def test_runs_are_found_below_the_folder_with_their_states(runs: Path) -> None:
    found = {run.name: run for run in Runs(runs).all()}
    assert {name: run.state for name, run in found.items()} == {
        "first": "finished",
        "sweep/second": "finished",
        EVIL: "finished",
        "third": "training",
    }
    assert found["first"].metric == ("accuracy", 0.9)
    assert found["third"].metric == ("training loss", pytest.approx(1 / 3))
    assert found["third"].step == 3


def test_what_stopped_and_what_is_damaged_is_told_apart(runs: Path) -> None:
    old = time.time() - 3600
    os.utime(runs / "third" / "metrics.jsonl", (old, old))
    (runs / "first" / "result.json").write_text("{", encoding="utf-8")
    states = {run.name: run.state for run in Runs(runs).all()}
    assert (states["third"], states["first"]) == ("stopped", "damaged")


def test_runs_of_folds_are_one_that_trains_while_a_fold_does_and_has_the_means_in_the_end(runs: Path) -> None:
    whole = training_run(runs / "whole", steps=0)
    training_run(runs / "whole" / "fold-1", steps=2)
    found = {run.name: run for run in Runs(runs).all()}
    assert (found["whole"].state, found["whole"].metric) == ("training", None)
    assert found["whole"].changed == found["whole/fold-1"].changed
    made = make_run(runs.parent / "finished", 0.75, 0.5)
    whole.result.write_bytes((made / "result.json").read_bytes())
    found = {run.name: run for run in Runs(runs).all()}
    assert (found["whole"].state, found["whole"].metric) == ("finished", ("accuracy", 0.75))
    assert found["whole"].step > 0


def test_of_a_run_that_trains_what_it_added_is_read_and_no_more(runs: Path) -> None:
    """What was read is made unreadable where it stands: who read it again would find the run damaged."""
    board, third = Runs(runs), RunFolder(runs / "third")
    for step in range(4, 10):
        logged(third, step)

    def state() -> tuple[str, int, int]:
        found = next(run for run in board.all() if run.name == "third")
        return found.state, found.step, len(board.lines_of(found))

    assert state() == ("training", 9, 9)
    before = third.metrics.stat()
    with third.metrics.open("r+b") as file:
        file.write(b"x" * 20)
    os.utime(third.metrics, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert state() == ("training", 9, 9)
    for step in range(10, 20):
        logged(third, step)
    assert state() == ("training", 19, 19)
    logged(third, 20)
    assert state() == ("training", 20, 20)
    assert next(run for run in Runs(runs).all() if run.name == "third").state == "damaged"


def test_a_run_that_was_resumed_begins_where_it_was_taken_up(runs: Path) -> None:
    board, third = Runs(runs), RunFolder(runs / "third")
    assert next(run for run in board.all() if run.name == "third").step == 3
    lines = third.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
    third.metrics.write_text("".join([lines[0], lines[1].replace("0.5", "0.9")]), encoding="utf-8")
    found = next(run for run in board.all() if run.name == "third")
    assert (found.step, found.metric, len(board.lines_of(found))) == (2, ("training loss", 0.9), 2)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("metrics.jsonl", "[" * 100_000 + "\n{}\n"),
        ("metrics.jsonl", '{"phase": "eval", "step": 1, "accuracy": 1' + "0" * 400 + "}\n{}\n"),
        ("metrics.jsonl", '{"phase": "eval", "step": 1, "accuracy": 1, "intervals": {"accuracy": [0, 1e999]}}\n{}\n'),
        ("metrics.jsonl", '{"phase": "eval", "step": 1, "accuracy": NaN}\n{}\n'),
        ("result.json", "[" * 100_000),
        ("config.yaml", "- a\n- b\n"),
    ],
)
def test_a_damaged_run_hides_no_other(
    server: BoardServer, runs: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    (runs / "third" / file).write_text(text, encoding="utf-8")
    status, body, _ = get(server, "/runs.json")
    assert status == 200
    assert {run["name"]: run["state"] for run in json.loads(body)["runs"]} == {
        "first": "finished",
        "sweep/second": "finished",
        EVIL: "finished",
        "third": "damaged",
    }
    assert get(server, "/run/third")[0] == 200
    # What is damaged is not read at each look either.
    monkeypatch.setattr(MetricLines, "more", lambda self: pytest.fail("the lines were read again"))
    assert get(server, "/runs.json")[1] == body


def test_the_table_holds_no_lines_of_its_runs(tmp_path: Path) -> None:
    for number in range(30):
        training_run(tmp_path / f"run-{number}", steps=200)
    Runs(tmp_path).all()  # what is imported is no part of it
    board = Runs(tmp_path)
    tracemalloc.start()
    found = board.all()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 30 * 20_000  # the lines of each are 100,000 bytes
    assert {run.step for run in found} == {200}
    assert [len(board.lines_of(run)) for run in found] == [200] * 30


# ---- what it answers ----


def test_the_table_and_its_data(server: BoardServer) -> None:
    status, page, headers = get(server, "/")
    assert status == 200
    assert 'href="/run/sweep/second"' in page
    assert "accuracy 0.9" in page
    assert EVIL not in page
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    data = json.loads(get(server, "/runs.json")[1])
    assert {run["name"]: run["state"] for run in data["runs"]}["third"] == "training"
    assert EVIL not in data["html"]


def test_a_run_that_trains_is_live(server: BoardServer, runs: Path) -> None:
    assert "<svg" in get(server, "/run/third")[1]
    before = json.loads(get(server, "/live.json?run=third")[1])
    logged(RunFolder(runs / "third"), 4)
    after = json.loads(get(server, "/live.json?run=third")[1])
    assert (before["step"], after["step"]) == (3, 4)
    assert before["html"] != after["html"]


def test_finished_runs_are_compared_and_others_by_their_curves(server: BoardServer) -> None:
    page = get(server, "/compare?run=first&run=sweep%2Fsecond")[1]
    assert "validation accuracy" in page
    assert {"0.9000", "0.8000"} <= set(re.findall(r"<td[^>]*>([\d.]+)</td>", page))
    curves = get(server, "/compare?run=first&run=third")[1]
    assert "training loss" in curves
    assert "have not finished" in curves
    assert get(server, "/compare?run=first")[0] == 404


def test_a_report_is_served_as_another_s(server: BoardServer) -> None:
    status, page, headers = get(server, "/report/first")
    assert (status, page.endswith("first's own")) == (200, True)
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]  # so default-src: none runs


# ---- what it refuses ----


@pytest.mark.parametrize(
    "address",
    [
        "/report/../secret",
        "/report/%2e%2e/secret",
        "/report/first/../../../secret",
        "/report/sweep/second",  # a link that leads out of the folder
        "/report//etc/passwd",
        "/run/link/secret",
        "/board.js/../../secret",
        "/live.json?run=../secret",
        "/no-such-page",
        "/%00",
    ],
)
def test_no_address_leaves_the_folder(server: BoardServer, address: str) -> None:
    status, body, _ = get(server, address)
    assert status == 404
    assert "secret" not in re.sub(r"/secret", "", body)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127x0.0.1", ""])
def test_another_name_for_this_machine_is_not_answered(server: BoardServer, host: str) -> None:
    status, body, _ = get(server, "/runs.json", Host=host)
    assert (status, "runs" in body) == (421, False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9000"])
def test_the_end_of_a_tunnel_is_answered_at_any_port(server: BoardServer, host: str) -> None:
    assert get(server, "/runs.json", Host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_only_reads(server: BoardServer, method: str) -> None:
    assert get(server, "/", method=method)[0] == 501


def test_it_listens_on_the_loopback_interface_alone(server: BoardServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(InputError, match="cannot be served on"):
        BoardServer(server.board, 70_000)


def test_the_command_says_where_and_refuses_a_folder_that_is_none(runs: Path, adapt: Callable[..., Any]) -> None:
    assert "is no folder" in adapt("board", str(runs / "nothing")).stderr
    command = [sys.executable, "-m", "adapt_core", "board", str(runs), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as board:
        assert board.stdout is not None
        try:
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/ shows the runs in .*", board.stdout.readline().strip())
        finally:
            board.terminate()


# ---- in a real browser ----


def opened(browser: Any, address: str, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    browser.get(address)


def until(browser: Any, script: str) -> None:
    """Wait until a script returns something true."""
    end = time.monotonic() + 60
    while not browser.execute_script(f"return {script}"):
        assert time.monotonic() < end, script
        time.sleep(0.1)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["/", "/run/third", "/compare?run=first&run=third"])
def test_a_browser_shows_it_without_errors_or_sideways_scrolling(
    browser: Any, server: BoardServer, page: str, width: int, scheme: str
) -> None:
    opened(browser, f"http://127.0.0.1:{server.server_port}{page}", width, scheme)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    style = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    ink, paper = (luminance(colour) for colour in browser.execute_script(style))
    assert (paper > ink) == (scheme == "light")


def test_in_a_browser_the_table_is_filtered_ordered_chosen_and_live(
    browser: Any, server: BoardServer, runs: Path
) -> None:
    opened(browser, f"http://127.0.0.1:{server.server_port}/", 1280, "light")
    names = "[...document.querySelectorAll('#runs tbody tr')].filter(r => !r.hidden).map(r => r.cells[1].textContent)"
    assert len(browser.execute_script(f"return {names}")) == 4
    typed = "const f = document.getElementById('filter'); f.value = arguments[0]; f.dispatchEvent(new Event('input'))"
    browser.execute_script(typed, "sweep")
    assert browser.execute_script(f"return {names}") == ["sweep/second"]
    browser.execute_script(typed, "")
    press = "document.querySelectorAll('#runs th button')[5].click()"  # metric
    browser.execute_script(press)
    up = browser.execute_script(f"return {names}")
    assert up == ["third", EVIL, "sweep/second", "first"]
    browser.execute_script(press)
    assert browser.execute_script(f"return {names}") == up[::-1]
    for name in ("first", "sweep/second"):
        box = next(b for b in browser.find_elements("css selector", "#runs input") if b.get_attribute("value") == name)
        box.click()
    logged(RunFolder(runs / "third"), 40)
    until(browser, "[...document.querySelectorAll('#runs td.n')].some(cell => cell.textContent === '40')")
    assert browser.execute_script(f"return {names}") == up[::-1]  # the order stays, and so does what is chosen:
    browser.find_element("id", "compare").click()
    until(browser, "document.querySelector('h1').textContent === '2 runs'")


def test_in_a_browser_a_run_s_curve_grows_while_it_trains(browser: Any, server: BoardServer, runs: Path) -> None:
    opened(browser, f"http://127.0.0.1:{server.server_port}/run/third", 1280, "light")
    assert browser.execute_script("return document.querySelectorAll('#live circle').length") == 3
    logged(RunFolder(runs / "third"), 4)
    until(browser, "document.querySelectorAll('#live circle').length === 4")
    assert browser.get_log("browser") == []
