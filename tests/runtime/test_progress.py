"""What a run shows: a bar on a terminal, lines elsewhere, silence where nobody listens."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from adapt_core.errors import InputError
from adapt_core.runtime.logs import FILE_ONLY, logging_to
from adapt_core.runtime.progress import LiveReporter, PlainReporter, SilentReporter, make_reporter


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A pipe whose reader left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def drive(reporter: PlainReporter | LiveReporter) -> None:
    reporter.message("hello")
    reporter.start("training", total=4, done=1)
    for step in (2, 3, 4):
        reporter.update(step, {"loss": 0.5 / step, "lr": 1e-4}, 12.5)
    reporter.close()


def test_the_screen_fits_the_stream_and_the_rank() -> None:
    assert isinstance(make_reporter(True, io.StringIO()), PlainReporter)
    assert isinstance(make_reporter(True, Terminal()), LiveReporter)
    assert isinstance(make_reporter(False, Terminal()), SilentReporter)


def test_plain_lines_tell_step_loss_rate_pace_and_time_left() -> None:
    stream = io.StringIO()
    drive(PlainReporter(stream))
    assert stream.getvalue().splitlines() == [
        "hello",
        "training 4/4  loss 0.125  lr 0.0001  12.5 samples/s  0:00:00 left",
    ]
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_a_terminal_gets_a_live_bar_with_the_figures() -> None:
    stream = Terminal()
    drive(LiveReporter(stream))
    assert "loss 0.125" in stream.getvalue()
    assert "12.5 samples/s" in stream.getvalue()
    assert "4/4" in stream.getvalue()


@pytest.mark.parametrize("reporter", [PlainReporter, LiveReporter])
def test_a_screen_whose_reader_left_falls_silent(reporter: type[PlainReporter] | type[LiveReporter]) -> None:
    drive(reporter(Gone()))


def test_the_log_holds_what_plugins_say_and_what_libraries_warn_of(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to([tmp_path / "log.txt", tmp_path / "copy.txt"], PlainReporter(stream), {"adapt_core", "adapt_x"}):
        logging.getLogger("adapt_x.task").info("from a plugin")
        logging.getLogger("adapt_core.execution.pipeline").warning("be careful")
        logging.getLogger("adapt_core.api").error("shown by the CLI", extra=FILE_ONLY)
        logging.getLogger("a_library").info("chatter")
        logging.getLogger("a_library").warning("a library's warning")
    logging.getLogger("adapt_x.task").info("after the run")
    assert stream.getvalue().splitlines() == ["from a plugin", "warning: be careful"]
    log = (tmp_path / "log.txt").read_text()
    for text in ("from a plugin", "be careful", "shown by the CLI", "a library's warning"):
        assert text in log
    assert "chatter" not in log
    assert "after the run" not in log
    assert (tmp_path / "copy.txt").read_text() == log


def test_a_log_that_cannot_be_written_is_the_user_s_to_mend(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="cannot be written"),
        logging_to([tmp_path / "no" / "log.txt"], SilentReporter(), set()),
    ):
        pass
