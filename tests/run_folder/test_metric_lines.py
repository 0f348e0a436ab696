"""metrics.jsonl is read on while a run writes it, whatever moment a reading falls into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapt_core.errors import InputError
from adapt_core.run_folder.metric_lines import MetricLines

WHOLE = b"".join(
    json.dumps({"phase": "train", "step": step, "loss": 1 / step}).encode() + b"\n" for step in range(1, 9)
)


@pytest.mark.parametrize("size", [1, 7, 50, 51, 1000])
def test_readings_at_any_moment_give_each_line_once(tmp_path: Path, size: int) -> None:
    file = tmp_path / "metrics.jsonl"
    file.touch()
    source, steps = MetricLines(file), []
    for start in range(0, len(WHOLE), size):
        with file.open("ab") as written:
            written.write(WHOLE[start : start + size])
        added, anew = source.more()
        assert not (anew and steps)
        steps += [line["step"] for line in added]
    assert steps == list(range(1, 9))


def test_a_file_that_began_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(WHOLE)
    source = MetricLines(file)
    assert len(source.more()[0]) == 8
    assert source.more() == ([], False)
    other = WHOLE.replace(b'"step": 1', b'"step": 0') + WHOLE  # longer than before
    file.write_bytes(other.replace(b"0.125", b"0.126"))
    added, anew = source.more()
    assert (len(added), anew) == (16, True)
    file.unlink()
    assert source.more() == ([], True)


def test_what_no_run_wrote_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(WHOLE)
    source = MetricLines(file)
    source.more()
    with file.open("ab") as written:
        written.write(b"half a li")
    assert source.more() == ([], False)  # it may be whole the next time
    with file.open("ab") as written:
        written.write(b"ne\n" + WHOLE)
    with pytest.raises(InputError, match=r"metrics\.jsonl:9: not a line that a run wrote"):
        source.more()


def test_a_damaged_file_that_was_mended_is_read_whole(tmp_path: Path) -> None:
    """What stood before the damage was not returned: reading on behind it would leave it out."""
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(WHOLE)
    source = MetricLines(file)
    source.more()
    file.write_bytes(WHOLE + WHOLE + b"damage\n" + WHOLE)
    for _ in range(2):
        with pytest.raises(InputError, match=r"metrics\.jsonl:17: not a line that a run wrote"):
            source.more()
    file.write_bytes(WHOLE * 3)
    added, anew = source.more()
    assert (len(added), anew) == (24, True)
