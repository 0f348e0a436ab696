"""Each parameter of summarization and translation has its effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapt_core.api import predict
from adapt_core.errors import InputError

from ..seq2seq_models import ROUGE, translations, write

Run = Callable[..., Any]


def test_the_defaults_are_the_specification_s(tmp_path: Path, tiny_t5: Path) -> None:
    from adapt_core.api import check

    data = write(tmp_path / "d", train=[{**row, "document": "a", "summary": "b"} for row in translations(4)])
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
    with pytest.raises(InputError, match="METRICS"):  # also of one that the task has, which it would not compute
        summarize(predict_with_generate=False, METRICS="rouge")


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


def test_flash_attention_is_not_used_where_it_cannot_be(summarize: Run, tmp_path: Path, no_flash: str) -> None:
    summarize(flash_attention2=True, MAX_STEPS=1)
    assert no_flash in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.parametrize("key", ["max_input_length", "max_target_length", "generation_max_length"])
def test_more_tokens_than_the_model_has_positions_are_refused(summarize: Run, key: str) -> None:
    with pytest.raises(InputError, match=f"{key} 200 is more than the 128 positions"):
        summarize(**{"generation_max_length": 16, key: 200})


def test_the_seq2seq_task_of_the_former_tool_is_its_subtask(translate: Run) -> None:
    assert translate(TASK="Seq2Seq_tasks", subtask="translation").task == "translation"
