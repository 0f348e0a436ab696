"""The metrics of generated texts that METRICS chooses, each in its contract, and what they make of odd texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapt_core.errors import InputError
from adapt_core.testing import MetricContract

from adapt_nlp.metrics.structured import JsonSchema, JsonSchemaParams, Regex, RegexParams, calls_in, tool_call
from adapt_nlp.metrics.texts import chrf, exact_match, token_f1

Texts = tuple[list[str], list[str]]
RIVERS: Texts = (["The Nile", "Rhine", "the  Amazon river"], ["The Nile", "The Rhine", "the Amazon river"])
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALL = '{"name": "weather", "arguments": {"city": "Bonn", "days": 2}}'


class OnTexts(MetricContract):
    @pytest.fixture
    def rows(self) -> Texts:
        return RIVERS


class TestExactMatch(OnTexts):
    name = "exact_match"
    known: ClassVar = {"exact_match": 2 / 3}


class TestTokenF1(OnTexts):
    name = "token_f1"
    known: ClassVar = {"token_f1": (1 + 2 / 3 + 1) / 3}


class TestRouge(OnTexts):
    name = "rouge"
    known: ClassVar = {"rouge1": (1 + 2 / 3 + 1) / 3, "rouge2": 2 / 3}


class TestJsonValid(MetricContract):
    name = "json_valid"
    known: ClassVar = {"json_valid": 2 / 5}

    @pytest.fixture
    def rows(self) -> Texts:
        return ['{"a": 1}', " [1] \n", "{a: 1}", '{"a": NaN}', ""], ["{}"] * 5


class TestJsonSchema(MetricContract):
    name = "json_schema"
    known: ClassVar = {"json_schema": 1 / 3}
    params: ClassVar = {"json_schema": CITY}

    @pytest.fixture
    def rows(self) -> Texts:
        return ['{"city": "Bonn"}', '{"city": 3}', "Bonn"], ['{"city": "Rome"}'] * 3


class TestRegex(MetricContract):
    name = "regex"
    known: ClassVar = {"regex": 2 / 4, "regex_found": 3 / 4}
    params: ClassVar = {"answer_pattern": r"#### (-?\d+)"}

    @pytest.fixture
    def rows(self) -> Texts:
        said = ["first #### 1, no: #### 12", "#### 7", "it is 5", "#### -3"]
        return said, ["2 * 6 #### 12", "#### 8", "#### 5", "-3"]


class TestToolCall(MetricContract):
    name = "tool_call"
    known: ClassVar = {"tool_call": 2 / 4, "tool_name": 3 / 4}

    @pytest.fixture
    def rows(self) -> Texts:
        said = [
            '<tool_call>\n{"arguments": {"days": 2, "city": "Bonn"}, "name": "weather"}\n</tool_call>',
            '{"name": "weather", "parameters": {"city": "Rome", "days": 2}}',
            "It rains.",
            "It rains.",
        ]
        return said, [CALL, CALL, CALL, "It will rain."]


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"I look. [TOOL_CALLS] [{CALL}]</s>",
        '<function=weather>{"city": "Bonn", "days": 2}</function>',
        '[{"function": {"name": "weather", "arguments": "{\\"days\\": 2, \\"city\\": \\"Bonn\\"}"}}]',
        f'{{"tool_calls": [{CALL}]}}',
        f"{{ broken [ {CALL}",
    ],
)
def test_a_call_is_found_however_a_template_writes_it(text: str) -> None:
    assert calls_in(text) == [("weather", '{"city": "Bonn", "days": 2}')]


def test_several_calls_may_come_in_any_order_but_not_twice() -> None:
    other = '{"name": "time", "arguments": {}}'
    assert tool_call([f"{CALL} {other}"], [f"{other} {CALL}"])["tool_call"] == 1
    assert tool_call([f"{CALL} {CALL}"], [CALL]) == {"tool_call": 0, "tool_name": 0}
    assert tool_call(["{" * 5000], [""]) == {"tool_call": 1, "tool_name": 1}


def test_words_of_any_script_and_texts_without_words() -> None:
    assert token_f1(["東京は雨"], ["東京"]) == pytest.approx(2 * 2 / 6)
    assert token_f1(["", "!", "a"], ["", "", ""]) == pytest.approx(2 / 3)
    assert exact_match(["cafe\u0301"], ["café"]) == 1
    assert exact_match(["Café"], ["café"]) == 0


def test_chrf_is_that_of_sacrebleu() -> None:
    import sacrebleu

    assert chrf(*RIVERS) == pytest.approx(sacrebleu.corpus_chrf(RIVERS[0], [RIVERS[1]]).score)


def test_token_f1_is_that_of_torchmetrics_where_words_are_single() -> None:
    text = pytest.importorskip("torchmetrics.functional.text")
    found, wanted = ["red green", "blue"], ["green blue", "blue"]
    ours = text.squad(
        [{"prediction_text": t, "id": str(n)} for n, t in enumerate(found)],
        [{"answers": {"text": [t], "answer_start": [0]}, "id": str(n)} for n, t in enumerate(wanted)],
    )
    assert token_f1(found, wanted) == pytest.approx(float(ours["f1"]) / 100)


def test_a_schema_comes_from_a_file_and_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "city.json"
    file.write_text(json.dumps(CITY), encoding="utf-8")
    assert JsonSchema(JsonSchemaParams(json_schema=str(file)))(['{"city": "x"}', "{}"], ["", ""]) == 0.5
    faults: list[tuple[Any, str]] = [
        ({"type": "objekt"}, "is no JSON Schema"),
        (str(tmp_path / "no.json"), "cannot be read"),
        ({"type": "array", "items": {"$ref": "#/$defs/city"}}, r"\$ref '#/\$defs/city' cannot be followed"),
        ({"$ref": "#"}, r"\$ref '#' cannot be followed"),
    ]
    for number, text in enumerate(("5", "null", "[]")):
        (tmp_path / f"{number}.json").write_text(text, encoding="utf-8")
        faults.append((str(tmp_path / f"{number}.json"), "is no JSON Schema"))
    for schema, told in faults:
        with pytest.raises(InputError, match=told):
            JsonSchema(JsonSchemaParams(json_schema=schema))


def test_references_inside_a_schema_are_followed() -> None:
    tree: dict[str, object] = {
        "type": "array",
        "items": {"$ref": "#/$defs/node"},
        "$defs": {"node": {"anyOf": [CITY, {"$ref": "#"}]}},
    }
    measure = JsonSchema(JsonSchemaParams(json_schema=tree))
    assert measure(['[{"city": "Bonn"}, [{"city": "Rome"}]]', "[5]"], ["", ""]) == 0.5
    assert measure(["[" * 400 + "]" * 400], [""]) == 0


def test_numbers_are_one_however_they_are_written() -> None:
    calls = ['{"name": "add", "arguments": {"a": [5.0, 2e1], "b": 0.5}}', '{"name": "add", "arguments": {"a": true}}']
    wanted = ['{"name": "add", "arguments": {"a": [5, 20], "b": 0.5}}', '{"name": "add", "arguments": {"a": 1}}']
    assert tool_call(calls, wanted) == {"tool_call": 0.5, "tool_name": 1}


def test_texts_nested_without_end_are_no_calls() -> None:
    deep = ["[" * 3000 + "]" * 3000, '{"name": "f", "arguments": ' + '{"a":' * 3000 + "1" + "}" * 3001]
    assert tool_call(deep, [CALL, CALL]) == {"tool_call": 0, "tool_name": 0}


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(InputError, match="ANSWER_PATTERN is no regular expression"):
        Regex(RegexParams(answer_pattern="(("))
    found: Any = Regex(RegexParams(answer_pattern=r"\d+|(x)"))(["1 2", "x"], ["2", "y"])
    assert found == {"regex": 0.5, "regex_found": 1}
