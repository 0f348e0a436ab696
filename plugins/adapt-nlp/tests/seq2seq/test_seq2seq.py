"""Summarization and translation: whole runs on small real encoder-decoders, and each parameter's effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.api import predict
from adapt_core.errors import InputError

from ..multilingual_tokenizers import mbart, nllb
from ..seq2seq_models import english, romanian, translations, write

Run = Callable[..., Any]
ROUGE = {"rouge1", "rouge2", "rougeL", "rougeLsum"}


@pytest.fixture
def translate(tmp_path: Path, tiny_t5: Path) -> Run:
    """Runs translation on word by word translations, two steps, with changes."""
    data = write(tmp_path / "pairs", train=translations(32), validation=translations(8, 500))

    def run(**changes: Any) -> Any:
        keys = {
            "TASK": "translation",
            "MODEL_PATH": str(tiny_t5),
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "OVERWRITE_OUTPUT_DIR": True,
            "MAX_STEPS": 2,
            "LR": 1e-2,
            "NUM_WORKERS": 0,
            "max_target_length": 16,
            "INTERVAL": "no",
        }
        return adapt_core.run({**keys, **changes})

    return run


@pytest.fixture
def summarize(tmp_path: Path, tiny_bart: Path) -> Run:
    """Runs summarization (the first two words of a document), two steps, with changes."""
    rows = [
        {"document": f"{english(n)} {english(n + 5)}", "summary": " ".join(english(n).split()[:2])} for n in range(32)
    ]
    data = write(tmp_path / "documents", train=rows, validation=rows[:8])

    def run(**changes: Any) -> Any:
        keys = {
            "TASK": "summarization",
            "MODEL_PATH": str(tiny_bart),
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "OVERWRITE_OUTPUT_DIR": True,
            "MAX_STEPS": 2,
            "LR": 1e-2,
            "NUM_WORKERS": 0,
            "max_input_length": 64,
            "max_target_length": 16,
            "generation_max_length": 16,
            "INTERVAL": "no",
        }
        return adapt_core.run({**keys, **changes})

    return run


PLAIN = """
import json, sys
lines, example, given, answer = sys.argv[1:]
exec(open(lines).read().replace(example, given))
print(json.dumps([globals()[answer], [name for name in sys.modules if name.startswith("adapt_")]]))
"""


def plainly(python: Callable[..., Any], folder: Path, example: str, given: str, answer: str) -> str:
    """What the model card's loading lines, run in a fresh process without adapt, generate for a text."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    (folder / "lines.py").write_text(card.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    done = python(PLAIN, "lines.py", example, given, answer, folder=folder)
    assert done.returncode == 0, done.stderr
    found, adapts = json.loads(done.stdout.splitlines()[-1])
    assert adapts == []
    return str(found)


# --- whole runs --------------------------------------------------------------------------------------------------


def test_a_translation_is_learned_and_plain_transformers_gives_the_same(
    translate: Run, tmp_path: Path, python: Callable[..., Any]
) -> None:
    data = write(tmp_path / "many", train=translations(400), validation=translations(24, 500))
    result = translate(
        CUSTOM_DATASET_PATH=str(data), MAX_STEPS=None, EPOCHS=14, LR=5e-3, WARMUP_RATIO=0.1, PREFIX="translate: "
    )
    assert result.metrics["after"]["loss"] < result.metrics["before"]["loss"] / 2
    assert result.metrics["after"]["rouge1"] > result.metrics["before"]["rouge1"] + 0.1
    text = english(3507)
    (found,) = predict(result.output_dir, [text])
    assert set(found) == {"text", "translation"}
    assert set(found["translation"].split()) & {word for n in range(12) for word in romanian(n).split()}
    assert plainly(python, tmp_path / "run", "A text to translate.", text, "translation") == found["translation"]


@pytest.mark.parametrize("model", ["tiny_t5", "tiny_bart", "tiny_bert2bert"])
@pytest.mark.parametrize("method", ["full", "last_layer"])
def test_every_family_runs_under_both_methods_and_loads_again(
    summarize: Run, tmp_path: Path, request: pytest.FixtureRequest, model: str, method: str, python: Callable[..., Any]
) -> None:
    form = "state_dict" if method == "last_layer" else "save_pretrained"
    result = summarize(
        MODEL_PATH=str(request.getfixturevalue(model)), method=method, SAVE_METHOD=form, MAX_STEPS=4, num_beams=1
    )
    assert result.training_check["verdict"] == "learned"
    assert set(result.metrics["after"]) == {*ROUGE, "gen_len", "loss"}
    text = english(77)
    (found,) = predict(result.output_dir, [text])
    assert set(found) == {"text", "summary"}
    assert plainly(python, tmp_path / "run", "A text to summarize.", text, "summary") == found["summary"]


@pytest.mark.parametrize(("make", "begins"), [(nllb, True), (mbart, False)], ids=["nllb", "mbart"])
def test_multilingual_models_generate_in_the_target_language(
    translate: Run, tmp_path: Path, make: Callable[[], Any], begins: bool, python: Callable[..., Any]
) -> None:
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, MBartConfig, MBartForConditionalGeneration

    tokenizer = make()
    kind, config = (
        (M2M100ForConditionalGeneration, M2M100Config) if begins else (MBartForConditionalGeneration, MBartConfig)
    )
    sizes = {
        f"{side}_{name}": size
        for side in ("encoder", "decoder")
        for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))
    }
    torch.manual_seed(0)
    model = kind(config(vocab_size=len(tokenizer), d_model=32, max_position_embeddings=128, **sizes))
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    result = translate(MODEL_PATH=str(tmp_path / "model"))
    target = tokenizer.convert_tokens_to_ids("ron_Latn" if begins else "ro_RO")
    saved = json.loads((tmp_path / "run" / "model" / "generation_config.json").read_text())
    assert saved.get("forced_bos_token_id") == (target if begins else None)
    assert (saved["decoder_start_token_id"] == target) is not begins
    (found,) = predict(result.output_dir, ["red cat"])
    assert plainly(python, tmp_path / "run", "A text to translate.", "red cat", "translation") == found["translation"]
    data = write(tmp_path / "odd", train=[{"a": "x", "b": "y"}] * 20)
    with pytest.raises(InputError, match=r"target_lang: .* has no language 'tlh'"):
        translate(
            MODEL_PATH=str(tmp_path / "model"),
            CUSTOM_DATASET_PATH=str(data),
            input_column="a",
            target_column="b",
            target_lang="tlh",
        )


def test_a_model_that_is_no_encoder_decoder_is_refused(summarize: Run, tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match="is a bert, not an encoder-decoder"):
        summarize(MODEL_PATH=str(tiny_encoder))


# --- parameters --------------------------------------------------------------------------------------------------


def test_the_defaults_are_the_specification_s(tmp_path: Path, tiny_t5: Path) -> None:
    from adapt_core.api import check

    data = write(tmp_path / "d", train=translations(4))
    plans = {
        task: check({"TASK": task, "MODEL_PATH": str(tiny_t5), "CUSTOM_DATASET_PATH": str(data)})
        for task in ("summarization", "translation")
    }
    short, long = plans["translation"].task.params, plans["summarization"].task.params
    assert (long.max_input_length, long.max_target_length, long.eval_metric, long.generation_max_length) == (
        512,
        128,
        "rouge",
        128,
    )
    assert (short.max_input_length, short.max_target_length, short.eval_metric) == (128, 128, "rouge")
    assert (short.source_lang, short.target_lang, short.prefix) == ("en", "ro", None)
    data_keys = plans["summarization"].data
    assert (data_keys.max_train_samples, data_keys.max_eval_samples) == (1000, 1000)


def test_max_train_samples_and_max_eval_samples_limit_the_rows(summarize: Run) -> None:
    result = summarize(MAX_TRAIN_SAMPLES=20, MAX_EVAL_SAMPLES=4)
    assert (result.data["train_rows"], result.data["validation_rows"]) == (20, 4)


@pytest.mark.parametrize("task", ["translate", "summarize"])
def test_max_input_length_cuts_inputs_in_training_and_prediction(request: pytest.FixtureRequest, task: str) -> None:
    run = request.getfixturevalue(task)
    assert run(max_input_length=64).data["train_truncated"] == 0
    result = run(max_input_length=3)
    assert result.data["train_truncated"] == 32
    one, other = predict(result.output_dir, ["red green small large", "red green small large cat dog"])
    assert list(one.values())[1] == list(other.values())[1]


@pytest.mark.parametrize("task", ["translate", "summarize"])
def test_max_target_length_cuts_targets(request: pytest.FixtureRequest, task: str) -> None:
    run = request.getfixturevalue(task)
    assert run(max_target_length=16).data["train_targets_truncated"] == 0
    assert run(max_target_length=2).data["train_targets_truncated"] == 32


def test_generation_max_length_bounds_generated_texts(summarize: Run, translate: Run, tiny_t5: Path) -> None:
    lengths = [
        summarize(MODEL_PATH=str(tiny_t5), generation_max_length=n, MAX_STEPS=1).metrics["before"]["gen_len"]
        for n in (6, 12)
    ]
    assert lengths[0] <= 6 < lengths[1] <= 12
    by_target = translate(max_target_length=9, MAX_STEPS=1).metrics["before"]["gen_len"]
    given = translate(max_target_length=9, generation_max_length=5, MAX_STEPS=1).metrics["before"]["gen_len"]
    assert given <= 5 < by_target <= 9


@pytest.mark.parametrize(
    ("task", "metric", "reported"),
    [
        ("summarize", "rouge", ROUGE),
        ("summarize", "bleu", {"bleu"}),
        ("translate", "rouge", ROUGE),
        ("translate", "sacrebleu", {"sacrebleu"}),
    ],
)
def test_eval_metric_chooses_what_is_reported(
    request: pytest.FixtureRequest, task: str, metric: str, reported: set[str]
) -> None:
    result = request.getfixturevalue(task)(eval_metric=metric, MAX_STEPS=1)
    assert set(result.metrics["after"]) == {*reported, "gen_len", "loss"}


@pytest.mark.parametrize(("task", "metric"), [("summarize", "sacrebleu"), ("translate", "bleu")])
def test_eval_metric_has_the_choices_of_its_task(request: pytest.FixtureRequest, task: str, metric: str) -> None:
    with pytest.raises(InputError, match="eval_metric"):
        request.getfixturevalue(task)(eval_metric=metric)
    with pytest.raises(InputError, match="METRIC_FOR_BEST: this run reports loss, rouge1"):
        request.getfixturevalue(task)(METRIC_FOR_BEST="bleu" if task == "summarize" else "sacrebleu")


def test_the_prefix_stands_before_every_input(translate: Run) -> None:
    losses = [translate(PREFIX=prefix, MAX_STEPS=1).metrics["before"]["loss"] for prefix in (None, "translate: ")]
    assert losses[0] != losses[1]


def test_predict_with_generate_false_evaluates_by_the_loss_alone(summarize: Run) -> None:
    result = summarize(predict_with_generate=False)
    assert set(result.metrics["before"]) == {"loss"}
    with pytest.raises(InputError, match="METRIC_FOR_BEST: this run reports loss; not 'rouge1'"):
        summarize(predict_with_generate=False, METRIC_FOR_BEST="rouge1")


def test_num_beams_is_the_search_s_and_is_saved(summarize: Run, tmp_path: Path) -> None:
    summarize(num_beams=3)
    saved = json.loads((tmp_path / "run" / "model" / "generation_config.json").read_text())
    assert (saved["num_beams"], saved["max_length"]) == (3, 16)


def test_source_lang_and_target_lang_choose_the_direction(translate: Run) -> None:
    there, back = translate(), translate(source_lang="ro", target_lang="en")
    assert there.metrics["before"]["loss"] != back.metrics["before"]["loss"]
    assert translate(source_lang="en_XX", target_lang="ron_Latn").metrics == there.metrics
    with pytest.raises(
        InputError, match=r"target_lang: the column 'translation' of the train split has no 'fr'; .*en, ro"
    ):
        translate(target_lang="fr")
    with pytest.raises(InputError, match="are both 'en'"):
        translate(target_lang="en")


def test_pairs_may_stand_in_two_columns_of_any_name(translate: Run, tmp_path: Path) -> None:
    same = translate().metrics["after"]
    rows = [row["translation"] for row in translations(32)], [row["translation"] for row in translations(8, 500)]
    for number, (source, target, keys) in enumerate(
        [
            ("en", "ro", {}),
            ("text", "ro", {}),
            ("body", "ro", {"dataset_text_field": "body"}),
            ("question", "answer", {"input_column": "question", "target_column": "answer"}),
            ("a", "ro", {"FORMAT_STRING": "{a}"}),
        ]
    ):
        splits = [[{source: row["en"], target: row["ro"]} for row in split] for split in rows]
        data = write(tmp_path / f"columns-{number}", train=splits[0], validation=splits[1])
        assert translate(CUSTOM_DATASET_PATH=str(data), **keys).metrics["after"] == same, source


def test_summaries_may_stand_in_columns_of_any_name(summarize: Run, tmp_path: Path) -> None:
    rows = [{"title": "red", "body": english(n), "tldr": english(n)[:9]} for n in range(20)]
    data = str(write(tmp_path / "named", train=rows, validation=rows[:4]))
    named = summarize(CUSTOM_DATASET_PATH=data, input_column="body", target_column="tldr").metrics
    assert summarize(CUSTOM_DATASET_PATH=data, dataset_text_field="body", target_column="tldr").metrics == named
    both = summarize(CUSTOM_DATASET_PATH=data, FORMAT_STRING="{title}: {body}", target_column="tldr").metrics
    assert both["before"]["loss"] != named["before"]["loss"]
    with pytest.raises(InputError, match="input_column: the train split has no column 'document'; it has: title, body"):
        summarize(CUSTOM_DATASET_PATH=data, target_column="tldr")


def test_files_of_the_training_data_s_form_can_be_predicted(translate: Run, tmp_path: Path) -> None:
    result = translate()
    found = predict(result.output_dir, [str(tmp_path / "pairs" / "validation.jsonl"), "red cat"])
    assert [row["text"] for row in found] == [row["translation"]["en"] for row in translations(8, 500)] + ["red cat"]


def test_flash_attention_is_not_used_where_it_cannot_be(summarize: Run, tmp_path: Path, no_flash: str) -> None:
    summarize(flash_attention2=True, MAX_STEPS=1)
    assert no_flash in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.parametrize("key", ["max_input_length", "max_target_length", "generation_max_length"])
def test_more_tokens_than_the_model_has_positions_are_refused(summarize: Run, key: str) -> None:
    with pytest.raises(InputError, match=f"{key} 200 is more than the 128 positions"):
        summarize(**{"generation_max_length": 16, key: 200})


def test_the_seq2seq_task_of_the_former_tool_is_its_subtask(translate: Run) -> None:
    assert translate(TASK="Seq2Seq_tasks", subtask="translation").task == "translation"


# --- bad rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"translation": {"en": "red"}}, "column 'translation', language 'ro': missing (null)"),
        ({"translation": {"en": " ", "ro": "roșu"}}, "column 'translation', language 'en': empty"),
        ({"translation": None}, "column 'translation' is missing (null); it maps languages to texts"),
        ({"translation": {"en": 7, "ro": "roșu"}}, "column 'translation', language 'en': int 7, not text"),
    ],
)
def test_a_bad_translation_is_named_by_its_row_or_dropped(
    translate: Run, tmp_path: Path, row: dict[str, Any], fault: str
) -> None:
    good = translations(20)
    data = str(write(tmp_path / "bad", train=[*good[:4], row, *good[4:]], validation=good[:4]))
    with pytest.raises(InputError) as caught:
        translate(CUSTOM_DATASET_PATH=data)
    assert f"train row 5: {fault}" in str(caught.value)
    result = translate(CUSTOM_DATASET_PATH=data, SKIP_BAD_ROWS=True)
    assert (result.data["train_dropped"], result.data["train_rows"]) == (1, 20)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"document": "", "summary": "red"}, "column 'document' is empty"),
        ({"document": "red", "summary": None}, "column 'summary' is missing (null)"),
        ({"document": "red", "summary": 3}, "column 'summary' is int 3, not text"),
    ],
)
def test_a_bad_document_is_named_by_its_row_or_dropped(
    summarize: Run, tmp_path: Path, row: dict[str, Any], fault: str
) -> None:
    good = [{"document": english(n), "summary": "red cat"} for n in range(20)]
    data = str(write(tmp_path / "bad", train=[*good[:2], row, *good[2:]], validation=good[:4]))
    with pytest.raises(InputError) as caught:
        summarize(CUSTOM_DATASET_PATH=data)
    assert f"train row 3: {fault}" in str(caught.value)
    assert summarize(CUSTOM_DATASET_PATH=data, SKIP_BAD_ROWS=True).data["train_dropped"] == 1


def test_a_bad_row_ends_the_command_with_exit_code_2(forked_adapt: Any, tiny_t5: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "bad", train=[*translations(3), {"translation": {"en": "red"}}])
    keys = {"TASK": "translation", "MODEL_PATH": str(tiny_t5), "CUSTOM_DATASET_PATH": str(data)}
    (tmp_path / "c.yaml").write_text(json.dumps(keys), encoding="utf-8")
    done = forked_adapt("run", "c.yaml")
    assert done.returncode == 2, done.stderr
    assert "train row 4: column 'translation', language 'ro': missing (null)" in done.stderr
    assert "Traceback" not in done.stderr
