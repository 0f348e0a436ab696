"""CoNLL files: columns, separators and schemes are recognised, and rows are those of the plain form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core import api
from adapt_core.contracts.format import Place
from adapt_core.errors import DataError, InputError
from adapt_core.hf.tasks.inputs import read_words
from adapt_core.testing import FormatContract

from adapt_nlp.formats.conll import Conll
from adapt_nlp.formats.tag_schemes import SchemeError, Tag, as_iob2, scheme_of

REUTERS = """-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
call NN I-NP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER
"""
"""Four columns as in the shared task of 2003: entities in IOB1."""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file."""

    def file(text: str, name: str = "train.txt", encoding: str = "utf-8") -> Path:
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return file


def rows(file: Path) -> list[dict[str, Any]]:
    return [dict(row.values) for row in Conll().read(place_of(file))]


def place_of(file: Path) -> Place:
    return Place(split="train", root=file.parent, files=(file,))


class TestConll(FormatContract):
    name = "conll"

    @pytest.fixture
    def place(self, write: Write) -> Place:
        return place_of(write(REUTERS))


def test_four_columns_are_words_parts_of_speech_chunks_and_entities(write: Write) -> None:
    assert rows(write(REUTERS)) == [
        {
            "tokens": ["EU", "rejects", "German", "call"],
            "pos_tags": ["NNP", "VBZ", "JJ", "NN"],
            "chunk_tags": ["B-NP", "B-VP", "B-NP", "I-NP"],
            "ner_tags": ["B-ORG", "O", "B-MISC", "O"],
        },
        {
            "tokens": ["Peter", "Blackburn"],
            "pos_tags": ["NNP", "NNP"],
            "chunk_tags": ["B-NP", "I-NP"],
            "ner_tags": ["B-PER", "I-PER"],
        },
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (REUTERS, "4 columns, separated by spaces, entity tags in IOB1"),
        ("New York\tB-LOC\nis\tO\n\nBig\tO\n", "2 columns, separated by tabs, entity tags in IOB2"),
        ("a S-X\nb B-Y\nc E-Y\n", "2 columns, separated by spaces, entity tags in BIOES"),
        ("a U-X\nb B-Y\nc L-Y\n", "2 columns, separated by spaces, entity tags in BILOU"),
    ],
)
def test_columns_separator_and_scheme_are_said(write: Write, text: str, reason: str) -> None:
    assert Conll().recognise(place_of(write(text))) == f"train.txt: a word on each line with {reason}"


@pytest.mark.parametrize("text", ["one two\nthree four\n", "word\tner\nAda\tB-PER\n", "Ada B-PER\nand O O\n", "\n\n"])
def test_text_and_tables_are_not_claimed(write: Write, text: str) -> None:
    assert Conll().recognise(place_of(write(text))) is None


def test_parts_of_speech_are_recognised_by_the_suffix(write: Write) -> None:
    file = write("Ada NNP\nruns VBZ\n", "train.conll")
    assert Conll().recognise(place_of(file)) == "train.conll: a word on each line with 2 columns, separated by spaces"
    assert rows(file) == [{"tokens": ["Ada", "runs"], "pos_tags": ["NNP", "VBZ"]}]


def test_a_byte_order_mark_returns_and_words_with_spaces_are_read(write: Write) -> None:
    file = write("\ufeffNew York\tB-LOC\r\nis\tO\r\n\r\n\r\nbig\tO\r\n")
    assert rows(file) == [
        {"tokens": ["New York", "is"], "ner_tags": ["B-LOC", "O"]},
        {"tokens": ["big"], "ner_tags": ["O"]},
    ]
    assert [row.line for row in Conll().read(place_of(file))] == [1, 5]


def test_columns_without_a_meaning_have_numbers_and_named_ones_names(write: Write) -> None:
    assert rows(write("one a x B-P\ntwo b y O\n"))[0] == {
        "tokens": ["one", "two"],
        "pos_tags": ["a", "b"],
        "column_3": ["x", "y"],
        "ner_tags": ["B-P", "O"],
    }
    named = "# global.columns = ID FORM UPOS NER\n# sent_id = 1\n1\tAda\tPROPN\tB-PER\n2\truns\tVERB\tO\n"
    assert rows(write(named)) == [
        {"id": ["1", "2"], "tokens": ["Ada", "runs"], "pos_tags": ["PROPN", "VERB"], "ner_tags": ["B-PER", "O"]}
    ]


GERMEVAL = """#\thttp://de.wikipedia.org/wiki/Schartau [2009-10-17]
1\tSchartau\tB-PER\tO
2\tsagte\tO\tO

#\thttp://de.wikipedia.org/wiki/Bonn [2010-01-02]
1\tUni\tB-ORG\tO
2\tBonn\tI-ORG\t{inner}
"""
UNIVERSAL = """# sent_id = 1
# text = Ada vámonos
1\tAda\tAda\tPROPN\tNNP\t_\t2\tnsubj\t_\t_
2-3\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
2\tvamos\tir\tVERB\t_\t_\t0\troot\t_\t_
3\tnos\tnosotros\tPRON\t_\t_\t2\tobj\t_\tSpaceAfter=No
3.1\tgo\tgo\tVERB\t_\t_\t_\t_\t_\t_
"""


@pytest.mark.parametrize("inner", ["B-LOC", "O"])
def test_numbers_of_words_are_no_words_and_outer_entities_are_taken(write: Write, inner: str) -> None:
    file = write(GERMEVAL.format(inner=inner))
    assert Conll().recognise(place_of(file)) == (
        "train.txt: a word on each line with 4 columns, separated by tabs, entity tags in IOB2"
    )
    found = rows(file)
    assert [(row["id"], row["tokens"], row["ner_tags"]) for row in found] == [
        (["1", "2"], ["Schartau", "sagte"], ["B-PER", "O"]),
        (["1", "2"], ["Uni", "Bonn"], ["B-ORG", "I-ORG"]),
    ]
    assert found[1]["column_4"] == ["O", inner]


def test_columns_of_universal_dependencies_are_known_and_joint_words_left_out(write: Write) -> None:
    [row] = rows(write(UNIVERSAL, "train.conll"))
    assert row["tokens"] == ["Ada", "vamos", "nos"]
    assert row["pos_tags"] == ["PROPN", "VERB", "PRON"]
    assert row["lemma"] == ["Ada", "ir", "nosotros"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 Ada B-PER\n1 runs O\n", {"id": ["0", "1"], "tokens": ["Ada", "runs"], "ner_tags": ["B-PER", "O"]}),
        ("1 Ada\n2 runs\n", {"id": ["1", "2"], "tokens": ["Ada", "runs"]}),
        ("1 O\n2 B-DAY\n", {"tokens": ["1", "2"], "ner_tags": ["O", "B-DAY"]}),
        ("1 CD B-DAY\n3 CD O\n", {"tokens": ["1", "3"], "pos_tags": ["CD", "CD"], "ner_tags": ["B-DAY", "O"]}),
        ("Ada O NNP\nruns O VBZ\n", {"tokens": ["Ada", "runs"], "ner_tags": ["O", "O"], "column_3": ["NNP", "VBZ"]}),
        ("Ada\nruns\n", {"tokens": ["Ada", "runs"]}),
    ],
)
def test_which_column_has_the_words_is_seen_by_its_cells(write: Write, text: str, expected: dict[str, Any]) -> None:
    file = write(text, "train.conll")
    assert Conll().recognise(place_of(file)) is not None
    assert rows(file) == [expected]


def test_a_wrong_tag_is_a_fault_of_its_line(write: Write) -> None:
    sentences = "Ada B-PER\nruns O\n\n" * 9
    for name in ("train.txt", "train.conll"):
        file = write(f"{sentences}Bo B-PER\nruns Q\n", name)
        assert Conll().recognise(place_of(file)) is not None
        *good, bad = Conll().read(place_of(file))
        assert [dict(row.values) for row in good] == [{"tokens": ["Ada", "runs"], "ner_tags": ["B-PER", "O"]}] * 9
        assert (bad.line, bad.fault) == (
            29,
            "column 2 has 'Q', which is no tag of an entity as the others are (B-TYPE, I-TYPE, O)",
        )
    assert Conll().recognise(place_of(write(f"{sentences}Bo\nruns O\n"))) is not None


def test_a_file_of_its_own_suffix_is_told_what_is_wrong(write: Write) -> None:
    with pytest.raises(DataError, match=r"train\.conll:2: not UTF-8 text"):
        Conll().recognise(place_of(write("a O\n\xe9t\xe9 O\n", "train.conll", "latin-1")))
    assert Conll().recognise(place_of(write("a O\n\xe9t\xe9 O\n", "train.txt", "latin-1"))) is None
    assert Conll().recognise(place_of(write("Ada,B-PER\nruns,O\n", "train.conll"))) is None


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", "I-PER I-PER B-PER O I-LOC I-ORG"),
        ("IOB2", "B-PER I-PER B-PER O B-LOC B-ORG"),
        ("BIOES", "B-PER E-PER S-PER O S-LOC S-ORG"),
        ("BILOU", "B-PER L-PER U-PER O U-LOC U-ORG"),
    ],
)
def test_each_scheme_is_recognised_and_becomes_iob2(scheme: str, tags: str) -> None:
    found = [tag for number, text in enumerate(tags.split()) if (tag := Tag.of(text, f"a:{number}")) is not None]
    assert scheme_of([found]) == scheme
    assert as_iob2(found) == ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG"]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("I-A O B-B", "I-A begins an entity at a:1, as in IOB1, and B-B begins one at a:3 that follows none"),
        ("S-A O U-B", r"S-A \(a:1\)|U-B \(a:3\)"),
        ("B-A O S-B", "B-A at a:1 is inside of an entity, and O follows"),
        ("S-B B-A", "B-A at a:2 is inside of an entity, and the sentence ends"),
        ("S-B E-A", "E-A at a:2 goes on with an entity, and none has begun"),
        ("B-A E-B", "B-A at a:1 is inside of an entity, and E-B follows"),
    ],
)
def test_tags_that_no_scheme_allows_are_told_with_their_lines(tags: str, said: str) -> None:
    found = [tag for number, text in enumerate(tags.split(), 1) if (tag := Tag.of(text, f"a:{number}")) is not None]
    with pytest.raises(SchemeError, match=said):
        scheme_of([found])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a I-X\n\nb B-Y\n", r"column 2: I-X begins an entity at train\.txt:1, as in IOB1, and B-Y .* train\.txt:3"),
        ("# global.columns = FORM\na O\n", r"train\.txt:1: global\.columns names 1 columns, and the lines have 2"),
        ("# global.columns = FORM WORD\na O\n", r"train\.txt:1: global\.columns has two columns that are tokens"),
        ("\n", r"train\.txt has no sentence"),
    ],
)
def test_the_first_bad_line_is_told(write: Write, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        rows(write(text))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a O\nb O\nc\n\nd O\n", "3: the line has 1 columns, and most of the file's have 2 columns"),
        ("d\tO\n\nb\t\nc\tO\n", "3: the line has an empty cell"),
        ("d O\n\nb O\nc O O\n", "4: the line has 3 columns"),
    ],
)
def test_a_sentence_with_a_bad_line_is_a_fault_and_others_are_read(write: Write, text: str, fault: str) -> None:
    read = list(Conll().read(place_of(write(text))))
    [bad], [good] = ([row for row in read if (row.fault is None) is is_good] for is_good in (False, True))
    assert f"{bad.line}: {bad.fault}".startswith(fault)
    assert good.values == {"tokens": ["d"], "ner_tags": ["O"]}


def test_text_that_is_not_utf_8_is_told_with_its_line(write: Write) -> None:
    with pytest.raises(DataError, match=r"train\.txt:2: not UTF-8 text"):
        rows(write("a O\n\xe9t\xe9 O\n", encoding="latin-1"))


COLOURS = {"red": "B-COL", "green": "B-COL", "deep": "I-COL", "dog": "B-ANI", "cat": "B-ANI"}
WORDS = ["the", "red", "deep", "dog", "sees", "a", "green", "cat", "now"]


@pytest.fixture
def both(tmp_path: Path) -> dict[str, Path]:
    """The same sentences as jsonl and as a CoNLL file in IOB1."""
    starts = (0, 3, 4, 6)  # not between "red" and "deep", which are one entity
    sentences = [WORDS[starts[n % 4] :] + WORDS[: starts[n % 4]] for n in range(24)]
    for form in ("plain", "conll"):
        (tmp_path / form).mkdir()
    for split, part in (("train", sentences), ("validation", sentences[:8])):
        plain = [{"tokens": words, "ner_tags": [COLOURS.get(word, "O") for word in words]} for words in part]
        lines = ["".join(json.dumps(row) + "\n" for row in plain)]
        (tmp_path / "plain" / f"{split}.jsonl").write_text(lines[0], encoding="utf-8")
        blocks = ["\n".join(f"{word} {COLOURS.get(word, 'O').replace('B-', 'I-')}" for word in words) for words in part]
        (tmp_path / "conll" / f"{split}.conll").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return {form: tmp_path / form for form in ("plain", "conll")}


@pytest.fixture
def config(tmp_path: Path, tiny_encoder: Path, both: dict[str, Path]) -> Callable[..., dict[str, Any]]:
    """A small run on one of the two forms."""

    def keys(form: str, **changes: Any) -> dict[str, Any]:
        return {
            "TASK": "text_classification",
            "subtask": "ner",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": str(both[form]),
            "OUTPUT_DIR": str(tmp_path / f"run_{form}"),
            "EPOCHS": 2,
            "LR": 1e-3,
            "BATCH_SIZE": 8,
            "NUM_WORKERS": 0,
            **changes,
        }

    return keys


def test_a_run_has_the_losses_of_the_plain_form(config: Callable[..., dict[str, Any]], both: dict[str, Path]) -> None:
    losses = {}
    for form in both:
        result = adapt_core.run(config(form, LOGGING_STEPS=1))
        lines = (Path(result.output_dir) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        losses[form] = [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]
    assert len(losses["plain"]) > 4
    assert losses["plain"] == losses["conll"]
    [predicted] = adapt_core.predict(result, ["the red dog"])
    assert predicted


def test_check_tells_format_and_scheme(config: Callable[..., dict[str, Any]]) -> None:
    found = api.estimate(api.check(config("conll")))
    assert found.formats["train"]["format"] == "conll"
    assert found.formats["train"]["reason"] == (
        "train.conll: a word on each line with 2 columns, separated by spaces, entity tags in IOB1"
    )
    assert len(found.examples) == 3


@pytest.mark.parametrize("name", ["new.txt", "new.conll"])
def test_words_to_predict_are_those_that_training_would_read(
    config: Callable[..., dict[str, Any]], write: Write, name: str
) -> None:
    plan = api.check(config("conll"))
    file = write("Ada B-PER\nruns O\n\nBo B-PER\n", name)
    assert read_words([str(file), "by hand"], plan, "tokens") == [["Ada", "runs"], ["Bo"], "by hand"]
    alone = write("Ada\nruns\n\nBo\n", "alone.conll")
    assert read_words([str(alone)], plan, "tokens") == [["Ada", "runs"], ["Bo"]]
    assert read_words([str(write("Ada runs\nBo\n", "lines.txt"))], plan, "tokens") == ["Ada runs", "Bo"]


def test_the_task_of_whole_texts_refuses_the_format(config: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(InputError, match=r"DATA_FORMAT: conll gives rows of tokens\+tags, and text_class"):
        api.check(config("conll", subtask=None, DATA_FORMAT="conll"))
    with pytest.raises(InputError, match="no column 'pos_tags'"):
        adapt_core.run(config("conll", subtask="pos"))


def test_bad_sentences_end_the_run_or_are_counted(
    config: Callable[..., dict[str, Any]], both: dict[str, Path], tmp_path: Path
) -> None:
    file = both["conll"] / "train.conll"
    file.write_text("a O\nb\n\n" + file.read_text("utf-8"), encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.conll:2: the line has 1 columns, .* or --set SKIP_BAD_ROWS=true"):
        adapt_core.run(config("conll"))
    result = adapt_core.run(config("conll", SKIP_BAD_ROWS=True, EPOCHS=1, OVERWRITE_OUTPUT_DIR=True))
    assert (result.data["train_rows"], result.data["train_dropped"], result.data["validation_dropped"]) == (24, 1, 0)
    log = (tmp_path / "run_conll" / "log.txt").read_text(encoding="utf-8")
    assert "train split: 1 row is dropped (SKIP_BAD_ROWS), the first: " in log


def test_a_bad_row_is_told_with_its_file_and_line(config: Callable[..., dict[str, Any]], both: dict[str, Path]) -> None:
    file = both["plain"] / "train.jsonl"
    file.write_text(file.read_text("utf-8") + '\n{"tokens": ["a", "b"], "ner_tags": ["O"]}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"train row 25: 2 words in .* Fix .*train\.jsonl:26, or --set SKIP_BAD_ROWS"):
        adapt_core.run(config("plain"))
