"""Parallel texts and TMX: a pair on the same line of two files, or in one unit."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from adapt_core import api
from adapt_core.contracts.format import PREDICT, Place
from adapt_core.errors import DataError, InputError
from adapt_core.hf.data.source import data_formats
from adapt_core.hf.data.tables.read import read_splits
from adapt_core.testing import FormatContract

from .conftest import Keys, Losses, Put, place_of, read
from adapt_nlp.formats.parallel import Parallel
from adapt_nlp.formats.tmx import Tmx
from adapt_nlp.seq2seq.text_fields import columns_of, translation_fields
from adapt_nlp.seq2seq.translation import Translation

UNITS = """    <tu tuid="1">
      <tuv xml:lang="en-US"><seg>A <bpt i="1">&lt;b&gt;</bpt>dog<ept i="1">&lt;/b&gt;</ept> &amp; a cat.</seg></tuv>
      <tuv xml:lang="de-DE"><seg>Ein <hi>Hund</hi> und
        eine Katze.</seg></tuv>
    </tu>
    <tu>
      <tuv xml:lang="EN-us"><prop type="x">no text</prop><seg>Two.<ph>{1}<sub>inner</sub></ph></seg></tuv>
      <tuv xml:lang="de-DE"><seg>Zwei.</seg></tuv>
      <tuv xml:lang="de-DE"><seg>Zwo.</seg></tuv>
    </tu>
"""
PAIRS = [{"en-US": "A dog & a cat.", "de-DE": "Ein Hund und eine Katze."}, {"en-US": "Two.", "de-DE": "Zwei."}]


def tmx(units: str = UNITS, before: str = '<!DOCTYPE tmx SYSTEM "tmx14.dtd">') -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{before}\n<tmx version="1.4">\n'
        '  <header creationtool="x" segtype="sentence" adminlang="en" srclang="en-US" datatype="plaintext"/>\n'
        f"  <body>\n{units}  </body>\n</tmx>\n"
    )


class TestTmx(FormatContract):
    name = "tmx"

    @pytest.fixture
    def place(self, put: Put) -> Place:
        return place_of(put("train.tmx", tmx()))


class TestParallel(FormatContract):
    name = "parallel"

    @pytest.fixture
    def place(self, put: Put) -> Place:
        return place_of(put("train.de", "Eins.\nZwei.\nDrei.\n"), put("train.en", "One.\nTwo.\nThree.\n"))


def test_units_are_pairs_and_codes_are_dropped(put: Put, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "adapt_nlp")
    file, reader = put("train.tmx", tmx()), Tmx()
    assert reader.recognise(place_of(file)) == "train.tmx: TMX 1.4, source language en-US"
    rows, again = (list(reader.read(place_of(file))) for _ in range(2))
    assert rows == again
    assert [row.values for row in rows] == [{"translation": pair} for pair in PAIRS]
    assert [row.line for row in rows] == [6, 11]
    assert caplog.text.count("train.tmx: 3 inline tags with codes are dropped") == 1
    utf16 = put("utf16.tmx", tmx().replace("UTF-8", "UTF-16").encode("utf-16"))
    assert Tmx().recognise(place_of(utf16)) == "utf16.tmx: TMX 1.4, source language en-US"
    assert [row.values for row in read(Tmx(), utf16)] == [row.values for row in rows]


def test_the_language_is_found_in_each_unit_whatever_its_region(put: Put, keys: Keys) -> None:
    text = '<tuv xml:lang="{}"><seg>{}</seg></tuv>'
    units = [("en-US", "One", "de-DE"), ("en-GB", "Two", "de"), ("en-US", "Three", "de-AT")]
    file = put("train.tmx", tmx("".join(unit(text.format(en, said), text.format(de, said)) for en, said, de in units)))
    plan = api.check({**keys, "CUSTOM_DATASET_PATH": str(file), "OUTPUT_DIR": "run"})
    rows = read_splits({"train": (file,)}, plan.formats)["train"]
    fields = translation_fields(plan, columns_of(rows), "train")
    assert [[field.text(row) for field in fields] for row in rows] == [[said, said] for _, said, _ in units]
    assert [field.fault(row) for field in fields for row in rows] == [None] * 6


def unit(*texts: str) -> str:
    return f"<tu>{''.join(texts)}</tu>"


DE = '<tuv xml:lang="de"><seg>Eins</seg></tuv>'


@pytest.mark.parametrize(
    ("units", "said"),
    [
        (unit(DE), "the unit has 'de' alone, and needs two languages"),
        (unit(), "the unit has no text, and needs two languages"),
        (unit(DE, '<tuv xml:lang="en"><seg> </seg></tuv>'), "the text in 'en' is empty"),
        (unit(DE, "<tuv><seg>One</seg></tuv>"), "a text (<tuv>) has no language (xml:lang)"),
    ],
)
def test_a_unit_that_is_no_pair_is_a_fault(put: Put, units: str, said: str) -> None:
    [row] = read(Tmx(), put("train.tmx", tmx(units)))
    assert row.line == 6
    assert said in str(row.fault)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (tmx(before='<!DOCTYPE tmx [<!ENTITY a "aaaa">]>'), r"train\.tmx:2: the XML entity 'a' is not expanded"),
        (
            tmx(before='<!DOCTYPE tmx [<!ENTITY a SYSTEM "file:///etc/hostname">]>'),
            r"the XML entity 'a' is not expanded",
        ),
        (tmx(unit(DE, '<tuv xml:lang="en"><seg>a&nbsp;b</seg></tuv>')), r"train\.tmx:6: the XML entity 'nbsp' is not"),
        (tmx().replace("UTF-8", "GB18030"), r"train\.tmx:1: not well-formed XML: .*encoding"),
        (tmx().replace("UTF-8", "no-such"), r"train\.tmx:1: not well-formed XML: unknown encoding"),
        (tmx("<tu></tv>"), r"train\.tmx:6: not well-formed XML: mismatched tag"),
        (tmx(""), r"train\.tmx has no translation unit"),
    ],
)
def test_what_is_no_tmx_is_told_and_no_entity_is_expanded(put: Put, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(Tmx(), put("train.tmx", content))


def test_lines_are_pairs_and_a_named_file_has_those_beside_it(put: Put) -> None:
    english = put("corpus.de-en.en", "One.\r\nTwo\u2028lines. \n")
    german = put("corpus.de-en.de", "Eins.\nZwei\u2028Zeilen.")
    put("corpus.de-en.ids", "1\n2\n")
    for place in (place_of(german, english), place_of(german)):
        assert Parallel().recognise(place) == (
            "corpus.de-en.de and corpus.de-en.en: the suffixes are languages, and a line of each is a pair"
        )
        rows = list(Parallel().read(place))
        assert [row.values["translation"] for row in rows] == [
            {"de": "Eins.", "en": "One."},
            {"de": "Zwei\u2028Zeilen.", "en": "Two\u2028lines."},
        ]
        assert [row.line for row in rows] == [1, 2]


def test_empty_lines_are_faults_and_texts_of_other_lengths_errors(put: Put) -> None:
    files = put("train.de", "Eins.\n\nDrei.\n"), put("train.en", "One.\nTwo.\nThree.\n")
    assert [row.fault for row in read(Parallel(), *files)] == [None, "the line is empty in train.de", None]
    put("train.en", "One.\nTwo.\n")
    with pytest.raises(DataError, match=r"train\.de:3: train\.en has 2 lines, and train\.de has more"):
        read(Parallel(), *files)
    with pytest.raises(DataError, match=r"a\.de:2: not UTF-8 text"):
        read(Parallel(), put("a.de", "ok\nGr\xfc\xdfe\n".encode("latin-1")))


def test_a_third_language_makes_no_fault_of_the_pairs_of_the_others(put: Put, caplog: pytest.LogCaptureFixture) -> None:
    files = [put("train.de", "Eins.\nZwei.\n"), put("train.en", "One.\nTwo.\n"), put("train.fr", "Un.\n \n")]
    rows = read(Parallel(), *files)
    assert [row.fault for row in rows] == [None, None]
    assert [set(row.values["translation"]) for row in rows] == [{"de", "en", "fr"}, {"de", "en"}]
    for content, why in ((b"Un.\n", "it has 1 lines, and the others 2"), (b"\xe9\n", "it is not UTF-8")):
        put("train.fr", content)
        assert [set(row.values["translation"]) for row in read(Parallel(), *files[:1])] == [{"de", "en"}] * 2
        assert f"train.fr is left out: {why}" in caplog.text
    put("train.fr", "Un.\n")
    assert [set(row.values["translation"]) for row in read(Parallel(), *files[:2])] == [{"de", "en"}] * 2


def test_a_model_is_asked_about_sources_alone(put: Put, keys: Keys) -> None:
    empty = '<tuv xml:lang="{}"><seg>{}</seg></tuv>'.format
    file = put("sources.tmx", tmx(unit(empty("en-GB", "One.")) + unit(empty("en-US", "Two."), empty("de", ""))))
    lines = put("lines.en", "One.\nTwo.\n")
    put("lines.de", "Eins.\n")
    assert [row.values for row in read(Tmx(), file, split=PREDICT)] == [
        {"translation": {"en-GB": "One."}},
        {"translation": {"en-US": "Two."}},
    ]
    folder = put("data/train.jsonl", f"{json.dumps({'translation': {'en': 'One.', 'de': 'Eins.'}})}\n" * 9).parent
    plan = api.check({**keys, "CUSTOM_DATASET_PATH": str(folder), "OUTPUT_DIR": "run"})
    assert Translation(plan).read_inputs([str(file), str(lines)]) == ["One.", "Two.", "One.", "Two."]


def test_a_suffix_that_is_no_language_is_no_data(put: Put, keys: Keys) -> None:
    row = json.dumps({"translation": {"en": "One.", "de": "Eins."}})
    folder = put("mixed/train.jsonl", f"{row}\n" * 9).parent
    put("mixed/train.pl", "print 1;\n")
    put("mixed/tool.cs", "class A {}\n")
    given = {**keys, "CUSTOM_DATASET_PATH": str(folder), "OUTPUT_DIR": "run"}
    assert {split: one.choice.name for split, one in data_formats(api.check(given)).items()} == {"train": "json"}


@pytest.fixture
def keys(tiny_t5: Path) -> Keys:
    both = {"source_lang": "en", "target_lang": "de", "predict_with_generate": False}
    return {"TASK": "translation", "MODEL_PATH": str(tiny_t5), **both}


def test_files_of_one_name_are_a_split_and_a_missing_language_is_told(put: Put, keys: Keys) -> None:
    folder = put("moses/corpus.de-en.de", "Eins.\n" * 9).parent
    put("moses/corpus.de-en.en", "One.\n" * 9)
    put("moses/LICENSE", "free\n")
    given = {**keys, "CUSTOM_DATASET_PATH": str(folder), "OUTPUT_DIR": "run"}
    assert {split: one.choice.name for split, one in data_formats(api.check(given)).items()} == {"train": "parallel"}
    with pytest.raises(
        InputError, match="target_lang: the column 'translation' of the train split has no 'fr'; it has"
    ):
        api.check({**given, "target_lang": "fr"})
    put("empty/readme.md", "no data\n")
    with pytest.raises(InputError, match=r"no data file \(.*those of parallel.*\)"):
        api.check({**given, "CUSTOM_DATASET_PATH": str(folder.parent / "empty")})


def test_a_run_has_the_losses_of_the_plain_form(put: Put, keys: Keys, losses: Losses) -> None:
    words = ("dog", "cat", "house", "tree")
    for split, count in (("train", 16), ("val", 4)):
        pairs = [(f"the {words[n % 4]} {n}", f"das {words[n % 4]} {n}") for n in range(count)]
        put(f"parallel/{split}.en", "".join(f"{en}\n" for en, _ in pairs))
        put(f"parallel/{split}.de", "".join(f"{de}\n" for _, de in pairs))
        texts = '<tuv xml:lang="{}"><seg>{}</seg></tuv>'
        units = [unit(texts.format("en-GB", en), texts.format("de-AT", de)) for en, de in pairs]
        put(f"tmx/{split}.tmx", tmx("\n".join(units)))
        rows = [json.dumps({"translation": {"en": en, "de": de}}) for en, de in pairs]
        plain = put(f"plain/{split}.jsonl", "\n".join(rows)).parent
    expected = losses(plain, keys)
    for form in ("parallel", "tmx"):
        folder = plain.parent / form
        found = api.estimate(api.check({**keys, "CUSTOM_DATASET_PATH": str(folder), "OUTPUT_DIR": "run"}))
        assert (found.formats["train"]["format"], len(found.examples)) == (form, 3)
        assert losses(folder, keys) == expected
