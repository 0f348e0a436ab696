"""Reading a config: YAML 1.2, places remembered, nothing but plain data."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapt_core.config.reader import plain, read_file, read_mapping, read_overrides, read_text
from adapt_core.errors import ConfigError


def values(text: str) -> dict[str, object]:
    return {entry.key: plain(entry.value) for entry in read_text(text, "c.yaml")}


def test_scalars_follow_yaml_1_2() -> None:
    text = "a: 1e-4\nb: no\nc: 'None'\nd:\ne: 0o17\nf: 2024-11-24\ng: 1.0\nh: true\ni: 12:30:45"
    assert values(text) == {
        "a": 0.0001,
        "b": "no",
        "c": "None",
        "d": None,
        "e": 15,
        "f": "2024-11-24",
        "g": 1.0,
        "h": True,
        "i": "12:30:45",
    }


def test_each_entry_knows_its_line() -> None:
    entries = read_text("# comment\nA: 1\n\nS:\n  B: 2\n", "c.yaml")
    assert str(entries[0].where) == "c.yaml:2"
    assert str(entries[1].value[0].where) == "c.yaml:5"


def test_a_key_given_twice_is_kept_twice() -> None:
    assert [entry.key for entry in read_text("LR: 1\nLR: 2\n", "c.yaml")] == ["LR", "LR"]


def test_anchors_and_merge_keys_work() -> None:
    assert values("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n")["use"] == {"y": 3, "x": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("- a\n- b\n", "mapping"),
        ("a: [1, 2\nb: 3\n", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "not plain data"),
        ("a: !mine 3\n", "not plain data"),
        ("a: &x [*x]\n", "nested more than"),
        ("? [1, 2]\n: 3\n", "plain text"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a:\tb\n\t- c", "not valid YAML"),
    ],
)
def test_what_is_no_config_is_refused_with_a_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_text(text, "c.yaml")


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("A: 1\nB: 'open\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"c\.yaml:\d"):
        read_file(tmp_path / "c.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00A", b"A: \xe9\n"])
def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_file(tmp_path / "c.yaml")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_file(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot read"):
        read_file(tmp_path)


@pytest.mark.parametrize(
    "value", ["translate English to German: ", "summarize:", "a # b", "# c", "@x", "x: {a: 1}", "a: b: c"]
)
def test_set_takes_text_as_it_stands(value: str) -> None:
    [entry] = read_overrides([f"PREFIX={value}"])
    assert entry.value == value


def test_set_still_says_what_is_wrong_with_a_list() -> None:
    with pytest.raises(ConfigError, match=r"--set names:1: not valid YAML"):
        read_overrides(["names=[a, b"])


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("Summarize:\n\n", "Summarize:\n\n"),
        ("first: line\n# second\n\n", "first: line\n# second\n\n"),
        ("- one\n- two", "- one\n- two"),
        ("[1,\n2]", [1, 2]),
        ("|\n  one\n  two", "one\ntwo"),
        ("'one\n\n\ntwo'", "one\n\ntwo"),
        ("0.1\n", 0.1),
        ("\n", "\n"),
    ],
)
def test_an_override_of_several_lines_is_text_unless_yaml_marks_it(value: str, read: object) -> None:
    [entry] = read_overrides([f"key={value}"])
    assert plain(entry.value) == read


def test_overrides_are_yaml_values() -> None:
    entries = read_overrides(["LR=1e-3", "names=[a, b]", "EMPTY=", "TEXT=a: b=c"[:6]])
    assert [(e.key, plain(e.value), str(e.where)) for e in entries[:3]] == [
        ("LR", 0.001, "--set"),
        ("names", ["a", "b"], "--set"),
        ("EMPTY", None, "--set"),
    ]
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        read_overrides(["LR"])


def test_a_mapping_is_taken_as_a_config() -> None:
    entries = read_mapping({"DATA": {"MAX_TRAIN_SAMPLES": 3}, "names": ("a", "b"), "OUTPUT_DIR": Path("x")})
    assert {e.key: plain(e.value) for e in entries} == {
        "DATA": {"MAX_TRAIN_SAMPLES": 3},
        "names": ["a", "b"],
        "OUTPUT_DIR": "x",
    }
    with pytest.raises(ConfigError, match="must be text"):
        read_mapping({3: 4})  # type: ignore[dict-item]


def repeated(times: int) -> str:
    """A list of ten values, repeated by aliases."""
    return f"a: &a [{', '.join('x' * 10)}]\nb:\n  - [{', '.join(['*a'] * times)}]\n"


def test_aliases_may_repeat_values_within_bounds() -> None:
    assert len(plain(read_text(repeated(100), "c.yaml")[1].value)[0]) == 100
    with pytest.raises(ConfigError, match=r"c\.yaml:\d.*more than 50,000 values"):
        read_text(repeated(5000), "c.yaml")
