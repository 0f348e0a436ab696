"""Question answering: answers found across windows, scored as the official SQuAD scripts do."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from adapt_core import run
from adapt_core.api import predict
from adapt_core.errors import InputError
from adapt_core.result import RunResult

NAMES = ["report", "invoice", "meeting", "server", "account", "project"]


def row(number: int, filler: int = 0, answerable: bool = True) -> dict[str, Any]:
    name = NAMES[number % len(NAMES)]
    context = f"{'the team is here today . ' * filler}please send {name} now ."
    if not answerable:
        return {
            "context": context.replace("send ", ""),
            "question": "what to send ?",
            "answers": {"text": [], "answer_start": []},
        }
    start = context.index(name)
    answers = {"text": [name], "answer_start": [start]}
    return {"context": context, "question": "what to send ?", "answers": answers}


def write(folder: Path, train: list[dict[str, Any]], validation: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, split in (("train", train), ("validation", validation)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in split), encoding="utf-8")
    return folder


def config(tmp_path: Path, model: Path, data: Path, **keys: Any) -> dict[str, Any]:
    return {
        "TASK": "question_answering",
        "MODEL_PATH": str(model),
        "CUSTOM_DATASET_PATH": str(data),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "max_length": 64,
        "doc_stride": 16,
        "EPOCHS": 8,
        "LR": 1e-2,
        "BATCH_SIZE": 8,
        "NUM_WORKERS": 0,
        **keys,
    }


def train(tmp_path: Path, model: Path, data: Path, **keys: Any) -> RunResult:
    return run(config(tmp_path, model, data, **keys))


def after(result: RunResult) -> dict[str, float]:
    found = result.metrics["after"]
    assert found is not None
    return found


def test_answers_are_learned_and_found_across_overlapping_windows(tmp_path: Path, tiny_encoder: Path) -> None:
    data = write(tmp_path / "data", [row(n, n % 3) for n in range(96)], [row(n, 20) for n in range(6)])
    result = train(tmp_path, tiny_encoder, data)
    assert result.data["validation_windows"] > 2 * 6
    assert after(result)["exact_match"] > 80
    (found,) = predict(result.output_dir, [json.dumps(row(1, 20))])
    assert found["answer"] == "invoice"
    assert row(1, 20)["context"][found["start"] : found["end"]] == "invoice"


def test_unanswerable_questions_need_squad_v2_format_and_get_the_empty_answer(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    rows = [row(n, n % 3, answerable=n % 2 == 0) for n in range(96)]
    data = write(tmp_path / "data", rows, rows[:12])
    with pytest.raises(InputError, match=r"train row 2: column 'answers' has no answer .*squad_v2_format"):
        train(tmp_path, tiny_encoder, data)
    result = train(tmp_path, tiny_encoder, data, squad_v2_format=True, OVERWRITE_OUTPUT_DIR=True)
    assert after(result)["unanswerable_accuracy"] > 80
    assert after(result)["answerable_f1"] > 80
    assert predict(result.output_dir, [json.dumps(row(1, 0, answerable=False))])[0]["answer"] == ""


def test_null_score_diff_threshold_moves_the_line(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [row(n, answerable=n % 2 == 0) for n in range(16)]
    for each in rows:  # a full stop as an answer scores as none: the official script takes punctuation away
        each["context"] = each["context"].removesuffix(" .")
    data = write(tmp_path / "data", rows, rows)
    keys = {"squad_v2_format": True, "MAX_STEPS": 1, "OVERWRITE_OUTPUT_DIR": True}
    never = after(train(tmp_path, tiny_encoder, data, null_score_diff_threshold=-1e9, **keys))
    always = after(train(tmp_path, tiny_encoder, data, null_score_diff_threshold=1e9, **keys))
    assert never["unanswerable_accuracy"] == 100
    assert always["unanswerable_accuracy"] == 0


def test_columns_may_have_other_names(tmp_path: Path, tiny_encoder: Path) -> None:
    renamed = [{"passage": r["context"], "q": r["question"], "gold": r["answers"]} for r in map(row, range(16))]
    data = write(tmp_path / "data", renamed, renamed)
    names = {"input_column": "passage", "input_question_column": "q", "target_column": "gold"}
    result = train(tmp_path, tiny_encoder, data, MAX_STEPS=1, **names)
    assert result.data["train_rows"] == 16
    (tmp_path / "later.jsonl").write_text('{"q": "who?"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"^input_column: later.jsonl has no column 'passage'; it has: q\. Name it"):
        predict(result, tmp_path / "later.jsonl")
    with pytest.raises(InputError, match="input_question_column: the train split has no column 'question'"):
        train(tmp_path, tiny_encoder, data, input_column="passage", target_column="gold", OVERWRITE_OUTPUT_DIR=True)


def test_an_answer_without_its_place_is_told_with_an_example(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [{**row(n), "answers": row(n)["answers"]["text"][0]} for n in range(8)]
    data = write(tmp_path / "data", rows, rows)
    gold = json.dumps(row(0)["answers"])
    with pytest.raises(InputError, match=re.escape(f"must say too where the answer begins in the context: {gold}")):
        train(tmp_path, tiny_encoder, data)


def test_articles_in_another_format_are_told_how_to_be_read(tmp_path: Path, tiny_encoder: Path) -> None:
    asked = [{"id": "1", "question": "who?", "answers": [{"text": "Ada", "answer_start": 0}]}]
    articles = [{"title": "Ada", "paragraphs": [{"context": "Ada lived in London", "qas": asked}]}]
    (tmp_path / "train-v1.1.json").write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")
    with pytest.raises(InputError, match=r"has: title, paragraphs. These are SQuAD's articles\. Leave DATA_FORMAT out"):
        train(tmp_path, tiny_encoder, tmp_path / "train-v1.1.json", DATA_FORMAT="json")


def test_a_wrong_answer_start_is_named_or_dropped(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [row(n) for n in range(8)]
    rows[4]["answers"]["answer_start"] = [0]
    data = write(tmp_path / "data", rows, rows[:4])
    with pytest.raises(
        InputError,
        match=r"train row 5: answer_start 0 does not match its text 'account': it begins at character \d+, counted",
    ):
        train(tmp_path, tiny_encoder, data)
    result = train(tmp_path, tiny_encoder, data, SKIP_BAD_ROWS=True, MAX_STEPS=1, OVERWRITE_OUTPUT_DIR=True)
    assert result.data["train_dropped"] == 1


def test_doc_stride_and_max_length_shape_the_windows(tmp_path: Path, tiny_encoder: Path) -> None:
    data = write(tmp_path / "data", [row(n, 20) for n in range(4)], [row(0)])
    counts = {}
    for length, stride in ((64, 16), (64, 40), (120, 16)):
        keys = {"max_length": length, "doc_stride": stride, "MAX_STEPS": 1, "OVERWRITE_OUTPUT_DIR": True}
        counts[length, stride] = train(tmp_path, tiny_encoder, data, **keys).data["train_windows"]
    assert counts[120, 16] < counts[64, 16] < counts[64, 40]


def test_max_answer_length_and_n_best_size_bound_the_candidates() -> None:
    import numpy

    from adapt_nlp.question_answering.spans import WindowLogits, best_spans

    start, end = numpy.array([0.0, 5.0, 1.0, 0.0]), numpy.array([0.0, 0.0, 1.0, 5.0])
    window = WindowLogits(start, end, [-1, 0, 5, 9], [-1, 4, 8, 12], 0)
    best = best_spans([window], 20, 3).spans[0]
    assert (best.start, best.end, best.score) == (0, 12, 10.0)
    short = best_spans([window], 20, 2)
    assert all(span.end - span.start <= 8 for span in short.spans)
    assert len(best_spans([window], 1, 3).spans) == 1
    assert short.null_score == 0.0


def test_the_spec_s_defaults_hold_sample_limits_for_this_task(tmp_path: Path, tiny_encoder: Path) -> None:
    from adapt_core.api import check

    plan = check(
        {
            "TASK": "question_answering",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": str(write(tmp_path / "data", [row(0)], [row(1)])),
        }
    )
    params = plan.task.params
    assert (plan.data.max_train_samples, plan.data.max_eval_samples) == (1000, 1000)
    assert (params.max_answer_length, params.max_length, params.doc_stride) == (30, 384, 128)


def test_scores_agree_with_an_independent_implementation_on_perturbed_answers() -> None:
    squad = pytest.importorskip("torchmetrics.text", reason="needs the package torchmetrics").SQuAD
    from adapt_nlp.question_answering.metrics import squad_scores

    chance = random.Random(0)
    words = [
        "The",
        "a",
        "an",
        "quick,",
        "brown",
        "Fox!",
        "jumps",
        "over",
        "12.5",
        "lazy",
        "dogs'",
        "café",
        "-",
        "U.S.",
        "of",
    ]
    gold = [
        [" ".join(chance.choices(words, k=chance.randint(1, 6))) + " fox" for _ in range(chance.randint(1, 3))]
        for _ in range(300)
    ]
    predicted = [" ".join(w for w in chance.choice(texts).split() if chance.random() > 0.2).upper() for texts in gold]
    predicted = [text if chance.random() > 0.3 else text.lower() + " the end" for text in predicted]
    theirs = squad()(
        [{"prediction_text": text, "id": str(i)} for i, text in enumerate(predicted)],
        [{"answers": {"text": t, "answer_start": [0] * len(t)}, "id": str(i)} for i, t in enumerate(gold)],
    )
    ours = squad_scores(predicted, gold, v2=False)
    assert ours["f1"] == pytest.approx(float(theirs["f1"]), abs=1e-3)
    assert ours["exact_match"] == pytest.approx(float(theirs["exact_match"]), abs=1e-3)


def test_positions_of_roberta_are_counted_from_behind_the_padding_index() -> None:
    from transformers import BertConfig, RobertaConfig, T5Config

    from adapt_core.hf.models.tokenizers import positions_of

    assert positions_of(RobertaConfig(max_position_embeddings=514, pad_token_id=1)) == 512
    assert positions_of(BertConfig(max_position_embeddings=128)) == 128
    assert positions_of(T5Config()) is None
