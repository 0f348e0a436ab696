"""text_classification end to end: learning, methods, switches, saved forms, prediction, export."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adapt_core
from adapt_core.errors import InputError
from adapt_core.testing.cards import python_of

Run = Callable[..., Any]
SAVE_METHODS = ["state_dict", "safetensors", "full_torch_model", "save_pretrained"]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_run_folder_holds_what_it_promises(run: Run, tmp_path: Path) -> None:
    result = run()
    folder = tmp_path / "run"
    names = {path.name for path in folder.iterdir()}
    files = {"config.yaml", "result.json", "metrics.jsonl", "log.txt", "README.md", "report.html", "evaluation.json"}
    assert names == {*files, ".adapt-run.json", "checkpoints", "model"}
    stored = json.loads((folder / "result.json").read_text())
    assert set(stored) >= {
        "status",
        "task",
        "method",
        "quantization",
        "launcher",
        "total_parameters",
        "trainable_parameters",
        "metrics",
        "train_seconds",
        "samples_per_second",
        "peak_memory_bytes",
        "artifacts",
        "versions",
        "seed",
        "config_sha256",
    }
    assert adapt_core.RunResult.from_json((folder / "result.json").read_text()) == result
    assert set(result.metrics["before"]) == set(result.metrics["after"]) == {"loss", "accuracy", "macro_f1"}
    assert result.training_check["verdict"] == "learned"
    assert result.trainable_parameters == result.total_parameters
    assert [line["phase"] for line in lines(folder)] == ["before", "eval", "after"]


def test_running_the_stored_config_gives_the_same_run(run: Run, tmp_path: Path) -> None:
    first = run()
    again = adapt_core.run(tmp_path / "run" / "config.yaml", overrides=[f"OUTPUT_DIR={tmp_path / 'again'}"])
    assert again.metrics == first.metrics
    assert again.config_sha256 == first.config_sha256


def test_last_layer_trains_the_classifier_alone(run: Run) -> None:
    result = run(LAST_LAYER_TUNING=True)
    assert result.method == "last_layer"
    assert result.trainable_parameters == 32 * 6 + 6
    assert result.training_check["trained_tensors"] == result.training_check["moved_tensors"] == 2
    assert result.training_check["frozen_changed"] == 0


def test_last_layers_adds_blocks_from_the_end(run: Run) -> None:
    assert (
        run(method="last_layer", LAST_LAYERS=2).training_check["trained_tensors"] == 2 + 16 + 2
    )  # head, block, pooler


@pytest.mark.parametrize(
    ("train", "evaluate", "before", "after", "steps"),
    [
        (True, True, True, True, 4),
        (True, False, False, False, 4),
        (False, True, True, False, 0),
        (False, False, False, False, 0),
    ],
)
def test_do_train_and_do_eval_in_every_combination(
    run: Run, tmp_path: Path, train: bool, evaluate: bool, before: bool, after: bool, steps: int
) -> None:
    result = run(DO_TRAIN=train, DO_EVAL=evaluate)
    assert (result.metrics["before"] is not None) == before
    assert (result.metrics["after"] is not None) == after
    assert result.steps == steps
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_a_test_split_is_scored_once_at_the_end(run: Run, tmp_path: Path, inbox: Path) -> None:
    result = run(TEST_DIR=str(inbox / "validation.jsonl"))
    assert set(result.metrics["test"]) == {"loss", "accuracy", "macro_f1"}
    assert [line["phase"] for line in lines(tmp_path / "run")].count("test") == 1


@pytest.mark.parametrize("save_method", SAVE_METHODS)
def test_each_saved_form_loads_without_adapt_and_predicts_the_same(
    run: Run, tmp_path: Path, python: Callable[..., Any], save_method: str
) -> None:
    run(SAVE_METHOD=save_method)
    folder = tmp_path / "run"
    texts = ["Can I renew my books?", "The 3D printer jams.", "Where is the key of the hall?"]
    ours = adapt_core.predict(folder, texts, trust=save_method == "full_torch_model")
    loading = python_of(folder / "README.md")
    program = (
        "import sys\n"
        "for name in ('adapt_core', 'adapt_nlp'):\n    sys.modules[name] = None\n"
        f"{loading}\n"
        "import json, torch\n"
        "def score(text):\n"
        "    logits = model(**tokenizer(text, return_tensors='pt')).logits.softmax(-1)[0]\n"
        "    return [model.config.id2label[int(logits.argmax())], float(logits.max())]\n"
        f"print(json.dumps([score(text) for text in {texts!r}]))\n"
        "assert not any(name.startswith(('adapt_', 'peft')) for name in sys.modules if sys.modules[name])\n"
    )
    done = python(program, folder=folder)
    assert done.returncode == 0, done.stderr
    for mine, (label, score) in zip(ours, json.loads(done.stdout.splitlines()[-1]), strict=True):
        assert mine["label"] == label
        assert mine["score"] == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("said_by_the_folder", [False, True])
def test_a_pickled_model_is_not_loaded_unless_its_user_trusts_it(
    run: Run, tmp_path: Path, said_by_the_folder: bool
) -> None:
    run(SAVE_METHOD="full_torch_model", TRUST_REMOTE_CODE=said_by_the_folder)
    with pytest.raises(InputError, match="TRUST_REMOTE_CODE=true"):
        adapt_core.predict(tmp_path / "run", ["x"])
    assert len(adapt_core.predict(tmp_path / "run", ["x"], trust=True)) == 1


def test_export_writes_every_other_form_with_the_same_weights(run: Run, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    run()
    first = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "model")
    for save_method in SAVE_METHODS:
        folder = adapt_core.export(tmp_path / "run", save_method, tmp_path / save_method)
        assert (folder / "config.json").exists()
        assert (folder / "tokenizer.json").exists()
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "save_pretrained")
    for (name, one), (_, other) in zip(first.state_dict().items(), again.state_dict().items(), strict=True):
        assert one.equal(other), name
    with pytest.raises(InputError, match="not empty"):
        adapt_core.export(tmp_path / "run", "safetensors", tmp_path / "safetensors")
    with pytest.raises(InputError, match="must be one of"):
        adapt_core.export(tmp_path / "run", "zip", tmp_path / "zip")


def test_predict_reads_texts_and_files(run: Run, tmp_path: Path) -> None:
    run()
    (tmp_path / "lines.txt").write_text("One text.\n\nAnother text.\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text('{"text": "A third."}\n', encoding="utf-8")
    arguments = ["A raw text.", str(tmp_path / "lines.txt"), str(tmp_path / "rows.jsonl")]
    predictions = adapt_core.predict(tmp_path / "run", arguments)
    assert [row["text"] for row in predictions] == ["A raw text.", "One text.", "Another text.", "A third."]
    assert all(row["label"] in {"loans", "events", "rooms", "workshop", "account", "feedback"} for row in predictions)
    with pytest.raises(InputError, match="input 1 is empty"):
        adapt_core.predict(tmp_path / "run", ["  "])


def test_the_command_line_runs_predicts_and_exports(
    forked_adapt: Callable[..., Any], keys: dict[str, Any], tmp_path: Path
) -> None:
    adapt = forked_adapt
    (tmp_path / "c.yaml").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()), encoding="utf-8")
    done = adapt("run", "c.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    assert "before: loss" in done.stderr
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    again = adapt("run", "c.yaml", "--resume")
    assert again.returncode == 0
    assert "nothing to train" in again.stderr
    refused = adapt("run", "c.yaml")
    assert refused.returncode == 2
    assert "holds a finished run" in refused.stderr
    predicted = adapt("predict", str(tmp_path / "run"), "Where is my PIN?", "--json")
    assert json.loads(predicted.stdout)[0]["text"] == "Where is my PIN?"
    piped = adapt("predict", "run", "-", input="\ufeffWhere is my PIN?\n\nSee \x1b[31mred.csv\n")
    header, first, second = piped.stdout.splitlines()
    assert header == "text\tlabel\tscore"
    text, label, score = first.split("\t")
    assert (text, label) == ("Where is my PIN?", json.loads(predicted.stdout)[0]["label"])
    assert float(score) == pytest.approx(json.loads(predicted.stdout)[0]["score"], abs=5e-5)
    assert second.startswith("See \\u001b[31mred.csv\t")
    for given, message in (("", "standard input is empty"), (b"\xff\n".decode("latin-1"), "not UTF-8")):
        refused = adapt("predict", "run", "-", input=given, encoding="latin-1")
        assert (refused.returncode, message in refused.stderr) == (2, True)
    exported = adapt("export", str(tmp_path / "run"), "--save-method", "state_dict", "-o", "out")
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "out" / "model_state_dict.pt").exists()


def test_ctrl_c_ends_a_run_with_its_own_exit_code(keys: dict[str, Any], tmp_path: Path) -> None:
    import signal

    (tmp_path / "c.json").write_text(json.dumps({**keys, "EPOCHS": 500}), encoding="utf-8")
    command = [sys.executable, "-m", "adapt_core", "run", str(tmp_path / "c.json")]

    def listen() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background would hand down "ignored"

    pipe = subprocess.PIPE
    with subprocess.Popen(command, stderr=pipe, text=True, cwd=tmp_path, preexec_fn=listen) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 4 "):
                process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert not (tmp_path / "run" / "result.json").exists()


def test_check_and_dry_run_accept_what_can_run(
    forked_adapt: Callable[..., Any], keys: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()), encoding="utf-8")
    checked = forked_adapt("check", "c.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "ok: the config can run." in checked.stdout
    dry = forked_adapt("run", "c.yaml", "--dry-run", "--json")
    assert json.loads(dry.stdout)["config"]["LR"] == 0.01
    assert not (tmp_path / "run").exists()


def test_a_worker_process_runs_a_plan_that_comes_through_a_pipe(keys: dict[str, Any], tmp_path: Path) -> None:
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.distributed.world import World
    from adapt_core.execution.worker import message
    from adapt_core.execution.worker_protocol import Report
    from adapt_core.plugin.registry import Registry
    from adapt_core.run_folder.paths import RunFolder
    from adapt_core.run_folder.resume import decide_resume, entered

    plan = resolve(RunConfig.read(keys), Registry.discover())
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    command = [sys.executable, "-m", "adapt_core.execution.worker"]
    with (
        entered(plan, folder),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker,
    ):
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(message(plan, World(), decide_resume(plan, folder)))
        worker.stdin.flush()  # and kept open: a worker ends with the process that started it
        report = Report.from_line(worker.stdout.readline())
    assert report.message is None, report.traceback
    assert report.result is not None
    assert adapt_core.RunResult.from_json(report.result).status == "finished"


def test_tokenized_data_is_cached_between_runs(run: Run, tmp_path: Path) -> None:
    run(DO_TRAIN=False, max_seq_length=24)
    run(DO_TRAIN=False, max_seq_length=24, OVERWRITE_OUTPUT_DIR=True)
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert log.count("validation split tokenized: 32 rows (from the cache)") == 1
    run(DO_TRAIN=False, max_seq_length=25, OVERWRITE_OUTPUT_DIR=True)
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert log.count("(from the cache)") == 1


def test_no_batch_is_padded_beyond_its_longest_text_and_none_exceeds_the_limit(run: Run, tmp_path: Path) -> None:
    result = run(max_seq_length=16)
    assert result.data["train_truncated"] > 0
    assert "reach the limit of 16 tokens" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="more than the 128 positions"):
        run(max_seq_length=4096, OVERWRITE_OUTPUT_DIR=True)


@pytest.mark.parametrize(
    "weights", ["balanced", dict.fromkeys(("loans", "events", "rooms", "workshop", "feedback"), 1.0) | {"account": 9.0}]
)
def test_class_weights_change_the_loss(run: Run, weights: Any) -> None:
    plain = run(MAX_TRAIN_SAMPLES=50)
    weighted = run(CLASS_WEIGHTS=weights, MAX_TRAIN_SAMPLES=50, OVERWRITE_OUTPUT_DIR=True)
    assert weighted.metrics["after"]["loss"] != plain.metrics["after"]["loss"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [("heavy", "balanced or a mapping"), ({"loans": 1}, "missing: account"), ({"lones": 1}, "missing")],
)
def test_class_weights_that_do_not_fit_are_refused(run: Run, weights: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(CLASS_WEIGHTS=weights)


@pytest.mark.parametrize("kind", ["distilbert", "roberta", "gpt2", "llama", "t5"])
def test_other_families_learn_too(run: Run, tiny_encoder: Path, tmp_path: Path, kind: str) -> None:
    import shutil

    from transformers import AutoConfig, AutoModel

    sizes: dict[str, dict[str, Any]] = {
        "distilbert": {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16},
        "roberta": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
        "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2},
        "llama": {
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "intermediate_size": 16,
        },
        "t5": {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2},
    }
    tokens = {"bos_token_id": 2, "eos_token_id": 3, **({"decoder_start_token_id": 0} if kind == "t5" else {})}
    config = AutoConfig.for_model(kind, vocab_size=2000, pad_token_id=0, **tokens, **sizes[kind])
    folder = tmp_path / "model"
    AutoModel.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_encoder / name, folder)
    result = run(MODEL_PATH=str(folder), LAST_LAYER_TUNING=True)
    assert result.training_check["verdict"] == "learned"
    assert 0 < result.trainable_parameters < result.total_parameters


@pytest.mark.slow
@pytest.mark.parametrize(("method", "accuracy"), [("full", 0.7), ("last_layer", 0.5)])
def test_a_real_pretrained_encoder_learns_the_inbox(run: Run, minilm: str, method: str, accuracy: float) -> None:
    learning = {"full": {"EPOCHS": 3, "LR": 2e-4}, "last_layer": {"EPOCHS": 8, "LR": 2e-2}}[method]
    result = run(MODEL_PATH=minilm, method=method, MAX_TRAIN_SAMPLES=None, MAX_EVAL_SAMPLES=None, **learning)
    majority = 1 / 6
    assert result.metrics["before"]["accuracy"] < 2 * majority
    assert result.metrics["after"]["accuracy"] > accuracy
