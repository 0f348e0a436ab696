"""ner, pos and chunk: words aligned with sub-tokens, long documents windowed, whole entities scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapt_core import run
from adapt_core.api import predict
from adapt_core.errors import InputError
from adapt_core.result import RunResult
from adapt_core.testing.cards import python_of

COLOURS = {"red": "B-COL", "green": "B-COL", "deep": "I-COL", "dog": "B-ANI", "cat": "B-ANI"}


def rows(count: int, column: str = "ner_tags") -> list[dict[str, Any]]:
    words = ["the", "red", "dog", "sees", "a", "green", "cat", "now"]
    made = []
    for number in range(count):
        tokens = words[number % 4 :] + words[: number % 4]
        made.append({"tokens": tokens, column: [COLOURS.get(word, "O") for word in tokens]})
    return made


def write(folder: Path, train: list[dict[str, Any]], validation: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, split in (("train", train), ("validation", validation)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in split), encoding="utf-8")
    return folder


def train(tmp_path: Path, model: Path, data: Path, **keys: Any) -> RunResult:
    config = {
        "TASK": "text_classification",
        "subtask": "ner",
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "EPOCHS": 6,
        "LR": 1e-2,
        "BATCH_SIZE": 8,
        "NUM_WORKERS": 0,
    }
    return run({**config, **keys})


def after(result: RunResult) -> dict[str, float]:
    found = result.metrics["after"]
    assert found is not None
    return found


def log_of(tmp_path: Path) -> str:
    return (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_ner_learns_entities_and_predicts_them(tmp_path: Path, tiny_encoder: Path) -> None:
    result = train(tmp_path, tiny_encoder, write(tmp_path / "data", rows(64), rows(8)))
    before = result.metrics["before"]
    assert before is not None
    assert after(result)["f1"] > 0.9 > before["f1"]
    (found,) = predict(result.output_dir, ["the red dog"])
    assert found["tags"] == ["O", "B-COL", "B-ANI"]
    assert found["entities"] == [
        {"type": "COL", "text": "red", "start": 1, "end": 2},
        {"type": "ANI", "text": "dog", "start": 2, "end": 3},
    ]


@pytest.mark.parametrize(("subtask", "metric"), [("pos", "macro_f1"), ("chunk", "f1")])
def test_each_subtask_reads_its_own_column_and_reports_its_metric(
    tmp_path: Path, tiny_encoder: Path, subtask: str, metric: str
) -> None:
    column = f"{subtask}_tags"
    data = write(tmp_path / "data", rows(64, column), rows(8, column))
    assert after(train(tmp_path, tiny_encoder, data, subtask=subtask, METRIC_FOR_BEST=metric))[metric] > 0.9


def test_integer_tags_take_their_names_from_tag_names(tmp_path: Path, tiny_encoder: Path) -> None:
    names = ["O", "B-COL", "I-COL", "B-ANI"]
    numbered = [{"tokens": r["tokens"], "ner_tags": [names.index(t) for t in r["ner_tags"]]} for r in rows(64)]
    result = train(tmp_path, tiny_encoder, write(tmp_path / "data", numbered, numbered[:8]), TAG_NAMES=names)
    assert after(result)["f1"] > 0.9
    assert predict(result.output_dir, ["red"])[0]["tags"] == ["B-COL"]


def test_a_tag_that_only_validation_has_counts_as_wrong_with_one_warning(tmp_path: Path, tiny_encoder: Path) -> None:
    validation = rows(8)
    for row in validation:
        row["ner_tags"][0] = "B-NEW"
    result = train(tmp_path, tiny_encoder, write(tmp_path / "data", rows(64), validation))
    assert after(result)["recall"] < 0.9
    assert after(result)["accuracy"] <= 7 / 8
    assert log_of(tmp_path).count("never occur in the training split") == 1


def test_a_long_document_is_windowed_and_no_word_is_lost(tmp_path: Path, tiny_encoder: Path) -> None:
    words = [word for row in rows(20) for word in row["tokens"]]
    long = {"tokens": words, "ner_tags": [COLOURS.get(word, "O") for word in words]}
    result = train(tmp_path, tiny_encoder, write(tmp_path / "data", rows(64), [long]), max_seq_length=16)
    assert result.data["validation_windows"] > 10
    assert after(result)["f1"] > 0.9
    (found,) = predict(result.output_dir, [" ".join(words)])
    assert len(found["tags"]) == len(words)
    assert sum(a == b for a, b in zip(found["tags"], long["ner_tags"], strict=True)) > 0.9 * len(words)


def test_each_word_is_asked_for_once_at_its_first_sub_token(tiny_encoder: Path) -> None:
    from transformers import AutoTokenizer

    from adapt_nlp.token_classification.windows import cut_windows

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    words = ["unbelievably", "red", "xylophones", "zigzag"] * 15
    every = cut_windows(tokenizer, [words, ["red"]], 20)
    for document, count in ((0, len(words)), (1, 1)):
        asked = [word for window in every if window.document == document for word in window.words if word >= 0]
        assert sorted(asked) == list(range(count))
    whole = tokenizer(words, is_split_into_words=True)
    first = {}
    for place, word in enumerate(whole.word_ids()):
        first.setdefault(word, whole["input_ids"][place])
    for window in every:
        for place, word in enumerate(window.words):
            if word >= 0 and window.document == 0:
                assert window.encoding["input_ids"][place] == first[word]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"tokens": ["a", "b"], "ner_tags": ["O"]}, "2 words in 'tokens' but 1 tags"),
        ({"tokens": [], "ner_tags": []}, "is empty"),
        ({"tokens": ["a", " "], "ner_tags": ["O", "O"]}, "word 2"),
        ({"tokens": ["a"], "ner_tags": [None]}, "tag 1 of column 'ner_tags' is missing"),
        ({"tokens": ["a"], "ner_tags": [{"start": 0, "end": 1, "label": "PER"}]}, "spans of text, which are not read"),
        ({"tokens": ["a", "b"], "ner_tags": [[0, 1, "PER"]]}, "spans of text, which are not read"),
        ({"tokens": ["a"], "ner_tags": {"a": 1}}, "column 'ner_tags' has mappings"),
        ({"tokens": ["a"], "ner_tags": "B-PER"}, r"has text \('B-PER'\), and a row is a whole sentence"),
        ({"tokens": [["a"]], "ner_tags": ["O"]}, "word 1 of column 'tokens'"),
    ],
)
def test_a_bad_row_is_named_or_dropped(tmp_path: Path, tiny_encoder: Path, row: dict[str, Any], words: str) -> None:
    good = rows(8)
    data = write(tmp_path / "data", [*good[:2], row, *good[2:]], rows(4))
    with pytest.raises(InputError, match=f"train row 3: .*{words}"):
        train(tmp_path, tiny_encoder, data)
    result = train(tmp_path, tiny_encoder, data, SKIP_BAD_ROWS=True, MAX_STEPS=1, OVERWRITE_OUTPUT_DIR=True)
    assert result.data["train_dropped"] == 1
    assert result.data["train_rows"] == 8


@pytest.mark.parametrize(
    "row",
    [
        {"tokens": ["Ada", "lived"], "ner_tags": [{"start": 0, "end": 3, "label": "PER"}]},
        {"tokens": "Ada", "ner_tags": "B-PER"},  # a word in each row
        {"tokens": "Ada lived", "ner_tags": "B-PER O"},
    ],
)
def test_another_shape_in_every_row_is_told_what_to_give_instead(
    tmp_path: Path, tiny_encoder: Path, row: dict[str, Any]
) -> None:
    data = write(tmp_path / "data", [row] * 6, [row] * 6)
    with pytest.raises(InputError, match=r"training row 1: .*a list with one tag for each word: \['B-PER', 'O'\]"):
        train(tmp_path, tiny_encoder, data)


def test_an_id_outside_the_tag_names_is_named(tmp_path: Path, tiny_encoder: Path) -> None:
    data = write(tmp_path / "data", [{"tokens": ["a", "b"], "ner_tags": [0, 7]}] * 3, rows(1))
    (data / "validation.jsonl").write_text('{"tokens": ["a"], "ner_tags": [0]}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"train row 1: tag 2 .* is 7, outside the 2 known tags"):
        train(tmp_path, tiny_encoder, data, TAG_NAMES=["O", "B-X"])


def test_metric_for_best_must_be_one_of_the_subtask(tmp_path: Path, tiny_encoder: Path) -> None:
    data = write(tmp_path / "data", rows(8), rows(4))
    with pytest.raises(InputError, match="METRIC_FOR_BEST: this run reports loss, f1"):
        train(tmp_path, tiny_encoder, data, METRIC_FOR_BEST="macro_f1")


def test_the_model_folder_loads_in_plain_transformers_with_equal_tags(tmp_path: Path, tiny_encoder: Path) -> None:
    from transformers import pipeline

    data = write(tmp_path / "data", rows(64), rows(8))
    result = train(tmp_path, tiny_encoder, data, SAVE_METHOD="save_pretrained")
    plain = pipeline(
        "token-classification", str(Path(result.output_dir) / "model"), aggregation_strategy="first", device="cpu"
    )
    text = "the red dog sees a green cat"
    (ours,) = predict(result.output_dir, [text])
    theirs = [entity for entity in plain(text) if entity["entity_group"] != "O"]
    assert [(e["entity_group"], e["word"]) for e in theirs] == [(e["type"], e["text"]) for e in ours["entities"]]


@pytest.fixture(params=["roberta", "generic"])
def byte_level(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A small RoBERTa whose byte-level tokenizer, of its own class or a generic one, puts no space before words."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel, RobertaTokenizerFast

    folder = tmp_path / "roberta"
    folder.mkdir()
    bpe = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator([" ".join(r["tokens"]) for r in rows(4)] * 4, 300, 2, special_tokens=specials)
    bpe.save_model(str(folder))
    tokenizer = RobertaTokenizerFast.from_pretrained(folder, model_max_length=64)
    if request.param == "generic":
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer.backend_tokenizer, pad_token="<pad>", model_max_length=64
        )
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=70, **sizes)).save_pretrained(folder)
    return folder


def test_a_byte_level_tokenizer_is_given_a_space_before_each_word(
    tmp_path: Path, byte_level: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer

    result = train(tmp_path, byte_level, write(tmp_path / "data", rows(64), rows(8)))
    assert after(result)["f1"] > 0.9
    assert predict(result.output_dir, ["the red dog"])[0]["tags"] == ["O", "B-COL", "B-ANI"]
    saved = AutoTokenizer.from_pretrained(tmp_path / "run" / "model")
    listed = saved(["red", "dog"], is_split_into_words=True, add_special_tokens=False).tokens()
    assert listed == ["\u0120red", "\u0120dog"], "the saved tokenizer has what training changed"
    monkeypatch.chdir(tmp_path / "run")
    lines = python_of(Path("README.md"))
    for text in ("Ada Lovelace lived in London .", "the unusually red dog sees"):
        names: dict[str, Any] = {}
        exec(lines.replace("Ada Lovelace lived in London .", text), names)
        assert names["tags"] == predict(result.output_dir, [text])[0]["tags"]


def test_a_split_without_any_tag_of_training_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    swapped = [{"tokens": row["ner_tags"], "ner_tags": row["tokens"]} for row in rows(8)]
    with pytest.raises(InputError, match=r"validation split: none of its tags .* occurs in the training split"):
        train(tmp_path, tiny_encoder, write(tmp_path / "data", swapped, rows(4)))
