"""text_classification end to end: learning, methods, switches, families of models."""

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

Run = Callable[..., Any]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_run_folder_holds_what_it_promises(run: Run, tmp_path: Path) -> None:
    result = run()
    folder = tmp_path / "run"
    names = {path.name for path in folder.iterdir()}
    files = {"config.yaml", "result.json", "metrics.jsonl", "log.txt", "README.md", "report.html", "evaluation.json"}
    assert names == {*files, ".adapt-run.json", "checkpoints", "model", "predictions.parquet"}
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


def test_each_evaluation_has_intervals_in_its_line_and_in_the_curves(run: Run, tmp_path: Path) -> None:
    result = run(EPOCHS=2)
    folder = tmp_path / "run"
    written = [line for line in lines(folder) if line["phase"] != "train"]
    assert [line["phase"] for line in written] == ["before", "eval", "eval", "after"]
    for line in written:
        for name, (low, high) in line["intervals"].items():
            assert low <= line[name] <= high, name
    assert any("accuracy" in line["intervals"] for line in written)
    assert written[-1]["intervals"] == result.intervals["after"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Bands and vertical lines: 95 % intervals" in page
    assert page.count('class="band"') or page.count('class="span"')
