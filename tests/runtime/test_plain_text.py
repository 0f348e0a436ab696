"""Text of others, where people read it: nothing in it acts on a terminal, and nothing hides."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from adapt_core.runtime.logs import logging_to
from adapt_core.runtime.plain_text import ESCAPED, in_one_line, visible
from adapt_core.runtime.progress import LiveReporter, PlainReporter

HOSTILE = "\x1b[31mred\x1b]0;title\x07\r\x9b2J\x7f \u202egpj.exe\u202c \u2066x\u2069 \u2028 \udcff"
SHOWN = r"\u001b[31mred\u001b]0;title\u0007\r\u009b2J\u007f \u202egpj.exe\u202c \u2066x\u2069 \u2028 \udcff"


def test_what_acts_or_hides_is_shown_and_the_rest_stays() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible("a\tb\nc") == "a\tb\nc"
    assert in_one_line("a\tb\nc") == r"a\tb\nc"
    text = (
        "Größe, 大きさ, \u05d0\u200f\u05d1, \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645, 👩\u200d🔬 [bold] <b> \\n"
    )
    assert in_one_line(text) == text


def test_json_stays_what_it_was() -> None:
    text = json.dumps({"text": HOSTILE, "other": "\U0001f600 é\n"}, ensure_ascii=False, indent=2)
    assert json.loads(visible(text)) == json.loads(text)
    assert json.loads(visible(text).encode("ascii", ESCAPED)) == json.loads(text)


@pytest.mark.parametrize("reporter", [PlainReporter, LiveReporter])
def test_messages_and_labels_of_progress_are_shown_as_they_are(reporter: type) -> None:
    stream = io.StringIO()
    made = reporter(stream)
    made.message(f"class [bold]lora[r=8][/bold] {HOSTILE}")
    assert stream.getvalue() == f"class [bold]lora[r=8][/bold] {SHOWN}\n"
    made.start("training [r=8]", total=2)
    made.update(2, {"acc[0]\x1b[2J": 0.5}, 1.0)
    made.close()
    if reporter is PlainReporter:
        assert r"training [r=8] 2/2  acc[0]\u001b[2J 0.5" in stream.getvalue()


def test_a_log_file_holds_no_control_characters(tmp_path: Path) -> None:
    with logging_to([tmp_path / "log.txt"], PlainReporter(io.StringIO()), {"adapt_core"}):
        logging.getLogger("adapt_core.test").warning("class %s", HOSTILE)
    assert (tmp_path / "log.txt").read_text(encoding="utf-8").endswith(f"class {SHOWN}\n")
