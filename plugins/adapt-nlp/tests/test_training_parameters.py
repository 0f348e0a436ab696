"""Every common training parameter takes effect: each test fails when its parameter is ignored."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapt_core.errors import InputError

Run = Callable[..., Any]


@pytest.fixture
def weights(run: Run, tmp_path: Path) -> Callable[..., dict[str, torch.Tensor]]:
    """The final weights of a run with changes."""
    count = iter(range(100))

    def of(**changes: Any) -> dict[str, torch.Tensor]:
        folder = tmp_path / f"weights-{next(count)}"
        run(**{"DO_EVAL": False, "INTERVAL": "no", **changes, "OUTPUT_DIR": str(folder)})
        return load_file(folder / "model" / "model.safetensors")

    return of


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def metric_lines(folder: Path, phase: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["phase"] == phase]


def checkpoints(folder: Path) -> list[int]:
    return sorted(int(path.name.partition("-")[2]) for path in (folder / "checkpoints").glob("checkpoint-*"))


def learning_rates(run: Run, folder: Path, **changes: Any) -> list[float]:
    """The learning rate of each step."""
    run(DO_EVAL=False, INTERVAL="no", LOGGING_STEPS=1, OUTPUT_DIR=str(folder), **changes)
    return [line["learning_rate"] for line in metric_lines(folder, "train")]


@pytest.fixture
def optimizer_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., torch.optim.Optimizer]:
    """The optimizer that a run really trained with."""
    from adapt_core.hf.loop.loop import HuggingFaceLoop

    seen: list[torch.optim.Optimizer] = []
    train = HuggingFaceLoop.train

    def watch(self: HuggingFaceLoop, resume_from: Path | None) -> Any:
        try:
            return train(self, resume_from)
        finally:
            seen.append(self.trainer.optimizer.optimizer)

    monkeypatch.setattr(HuggingFaceLoop, "train", watch)

    def of(**changes: Any) -> torch.optim.Optimizer:
        run(DO_EVAL=False, INTERVAL="no", OVERWRITE_OUTPUT_DIR=True, **changes)
        return seen[-1]

    return of


# --- what changes the weights ------------------------------------------------------------------------------------


def test_the_same_config_gives_the_same_weights_bit_for_bit(weights: Any) -> None:
    assert equal(weights(), weights())


@pytest.mark.parametrize(
    "change",
    [
        {"SEED": 7},
        {"LR": 0.005},
        {"BATCH_SIZE": 8},
        {"EPOCHS": 2},
        {"EPOCHS": 0.5},
        {"MAX_STEPS": 3},
        {"OPTIMIZER": "sgd"},
        {"SCHEDULER_TYPE": "constant"},
        {"WEIGHT_DECAY": 0.5},
        {"BETA1": 0.5},
        {"BETA2": 0.5},
        {"ADAM_EPS": 1e-2},
        {"MAX_GRAD_NORM": 0.01},
        {"WARMUP_RATIO": 0.5},
        {"WARMUP_ITERS": 2},
        {"GRADIENT_ACCUMULATION_STEPS": 2},
        {"BF16": True},
        {"GROUP_BY_LENGTH": True},
        {"MAX_TRAIN_SAMPLES": 48},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_parameter_of_the_arithmetic_changes_the_weights(weights: Any, change: dict[str, Any]) -> None:
    assert not equal(weights(), weights(**change))


def test_accumulated_batches_give_the_weights_of_one_large_batch(weights: Any) -> None:
    plain = {"OPTIMIZER": "sgd", "MAX_GRAD_NORM": 0, "MAX_STEPS": 3, "SCHEDULER_TYPE": "constant", "LR": 0.1}
    whole = weights(BATCH_SIZE=16, **plain)
    parts = weights(BATCH_SIZE=4, GRADIENT_ACCUMULATION_STEPS=4, **plain)
    assert max(float((whole[name] - parts[name]).abs().max()) for name in whole) < 1e-5
    assert not equal(whole, weights(BATCH_SIZE=16, **{**plain, "LR": 0.11}))


@pytest.mark.parametrize(
    "change",
    [{"NUM_WORKERS": 2}, {"GRADIENT_CHECKPOINTING": True}, {"LOGGING_STEPS": 1}, {"INTERVAL": "epoch"}],
    ids=lambda change: next(iter(change)),
)
def test_a_parameter_beside_the_arithmetic_leaves_the_weights_alone(weights: Any, change: dict[str, Any]) -> None:
    assert equal(weights(), weights(**change))


def test_evaluation_before_and_while_training_leaves_the_weights_alone(weights: Any) -> None:
    assert equal(weights(), weights(DO_EVAL=True, INTERVAL="steps", INTERVAL_STEPS=1))


# --- optimizer and schedule --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw_torch", "AdamW"),
        ("sgd", "SGD"),
        ("adafactor", "Adafactor"),
        ("adamw_8bit", "AdamW"),
        ("paged_adamw_32bit", "AdamW"),
        ("lion_8bit", "Lion"),
    ],
)
def test_each_optimizer_is_the_one_that_trains(optimizer_of: Any, name: str, kind: str) -> None:
    pytest.importorskip("bitsandbytes")
    optimizer = optimizer_of(OPTIMIZER=name)
    assert type(optimizer).__name__ == kind
    assert type(optimizer).__module__.startswith("bitsandbytes") == ("8bit" in name or "32bit" in name)


def test_the_optimizer_gets_its_numbers(optimizer_of: Any) -> None:
    groups = optimizer_of(BETA1=0.8, BETA2=0.7, ADAM_EPS=1e-5, WEIGHT_DECAY=0.03, LR=0.002).param_groups
    assert {group["betas"] for group in groups} == {(0.8, 0.7)}
    assert {group["eps"] for group in groups} == {1e-5}
    assert sorted(group["weight_decay"] for group in groups) == [0.0, 0.03]
    assert {group["initial_lr"] for group in groups} == {0.002}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [1.0, 0.75, 0.5, 0.25]),
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("cosine", [1.0, 0.853553, 0.5, 0.146447]),
        ("cosine_with_restarts", [1.0, 0.853553, 0.5, 0.146447]),
        ("polynomial", [1.0, 0.75, 0.5, 0.25]),
        ("constant_with_warmup", [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_each_schedule_gives_its_learning_rates(run: Run, tmp_path: Path, schedule: str, expected: list[float]) -> None:
    rates = learning_rates(run, tmp_path / "run", SCHEDULER_TYPE=schedule, LR=0.01)
    assert [rate / 0.01 for rate in rates] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "warmup", [{"WARMUP_RATIO": 0.5}, {"WARMUP_ITERS": 2}, {"WARMUP_ITERS": 2, "WARMUP_RATIO": 0.9}]
)
def test_warm_up_starts_low(run: Run, tmp_path: Path, warmup: dict[str, Any]) -> None:
    rates = learning_rates(run, tmp_path / "run", SCHEDULER_TYPE="constant_with_warmup", LR=0.01, **warmup)
    assert rates == pytest.approx([0.0, 0.005, 0.01, 0.01])


EACH_STEP = {"DO_EVAL": False, "INTERVAL": "no", "LOGGING_STEPS": 1, "LR": 0.01}


@pytest.mark.parametrize("warmup", [{"WARMUP_ITERS": 4}, {"WARMUP_ITERS": 40}, {"WARMUP_RATIO": 0.9}])
def test_a_warm_up_that_the_run_does_not_end_is_told(run: Run, tmp_path: Path, warmup: dict[str, Any]) -> None:
    [(key, value)] = warmup.items()
    lasting = value if value > 1 else 4  # 0.9 of four steps, rounded up
    result = run(**EACH_STEP, SCHEDULER_TYPE="linear", **warmup)
    rates = [line["learning_rate"] for line in metric_lines(tmp_path / "run", "train")]
    assert rates == pytest.approx([0.01 * step / lasting for step in range(4)])
    assert [warning for warning in result.warnings if key in warning] == [
        f"{key}: the learning rate warms up for {lasting} steps, and the run has 4: it ends at {3 / lasting:.2g} of "
        f"LR. Lower {key}."
    ]


def test_a_warm_up_under_accumulation_counts_optimizer_steps(run: Run, tmp_path: Path) -> None:
    parts = {"BATCH_SIZE": 4, "GRADIENT_ACCUMULATION_STEPS": 4, "SCHEDULER_TYPE": "linear", "LR": 0.01}
    assert learning_rates(run, tmp_path / "run", WARMUP_ITERS=2, **parts) == pytest.approx([0.0, 0.005, 0.01, 0.005])


def test_a_warm_up_of_a_constant_rate_is_told_to_be_without_effect(run: Run, tmp_path: Path) -> None:
    result = run(**EACH_STEP, SCHEDULER_TYPE="constant", WARMUP_ITERS=2)
    assert [line["learning_rate"] for line in metric_lines(tmp_path / "run", "train")] == [0.01] * 4
    assert [warning for warning in result.warnings if "WARMUP" in warning] == [
        "SCHEDULER_TYPE: constant has no warm-up, so WARMUP_ITERS is without effect. Choose constant_with_warmup."
    ]


# --- evaluation, checkpoints, and which weights are kept ---------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "evaluated", "saved"),
    [
        ({"INTERVAL": "epoch", "EPOCHS": 2}, [4, 8], [4, 8]),
        ({"INTERVAL": "steps", "INTERVAL_STEPS": 3, "EPOCHS": 2}, [3, 6, 8], [3, 6, 8]),
        ({"INTERVAL": "no"}, [], []),
        ({"INTERVAL": "epoch", "EPOCHS": 3, "NO_OF_CHECKPOINTS": 1}, [4, 8, 12], [12]),
        ({"INTERVAL": "epoch", "DO_EVAL": False}, [], [4]),
    ],
)
def test_interval_says_when_to_evaluate_and_save(
    run: Run, tmp_path: Path, settings: dict[str, Any], evaluated: list[int], saved: list[int]
) -> None:
    run(**settings)
    assert [line["step"] for line in metric_lines(tmp_path / "run", "eval")] == evaluated
    assert checkpoints(tmp_path / "run") == saved


def test_logging_steps_says_how_often_figures_are_written(run: Run, tmp_path: Path) -> None:
    run(LOGGING_STEPS=2)
    assert [line["step"] for line in metric_lines(tmp_path / "run", "train")] == [2, 4]


@pytest.fixture
def contradicted(inbox: Path, tmp_path: Path) -> Path:
    """A set whose validation rows are its training rows with another label: learning makes the loss worse."""
    lines = (inbox / "train.jsonl").read_text(encoding="utf-8").splitlines()[:64]
    rows = [json.loads(line) for line in lines]
    labels = sorted({row["label"] for row in rows})
    following = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    folder = tmp_path / "contradicted"
    folder.mkdir()
    (folder / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    others = [json.dumps({**row, "label": following[row["label"]]}) for row in rows]
    (folder / "validation.jsonl").write_text("\n".join(others), encoding="utf-8")
    return folder


def test_keep_best_ends_with_the_best_weights_by_the_chosen_metric(
    run: Run, contradicted: Path, tmp_path: Path
) -> None:
    data = {"CUSTOM_DATASET_PATH": str(contradicted), "MAX_EVAL_SAMPLES": 64}
    result = run(**data, EPOCHS=8, KEEP="best", METRIC_FOR_BEST="loss", SCHEDULER_TYPE="constant")
    losses = {line["step"]: line["loss"] for line in metric_lines(tmp_path / "run", "eval")}
    assert result.metrics["after"]["loss"] == min(losses.values())
    assert min(losses, key=lambda step: losses[step]) != max(losses), "the last must not be the best here"
    measured = run(
        **data,
        DO_TRAIN=False,
        MODEL_CHECKPOINT=str(tmp_path / "run" / "model"),
        OUTPUT_DIR=str(tmp_path / "again"),
    )
    assert measured.metrics["before"]["loss"] == pytest.approx(min(losses.values()), abs=1e-6)


def test_keep_last_ends_with_the_last_weights(run: Run, tmp_path: Path) -> None:
    result = run(EPOCHS=4, LR=0.3)
    assert result.metrics["after"]["loss"] == metric_lines(tmp_path / "run", "eval")[-1]["loss"]


def test_early_stopping_ends_a_run_that_gets_no_better(run: Run, tmp_path: Path) -> None:
    result = run(EPOCHS=30, LR=0.5, EARLY_STOPPING_PATIENCE=2, METRIC_FOR_BEST="loss")
    assert result.steps < 30 * 4


def test_eval_batch_size_is_that_of_evaluation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Trainer

    sizes: list[int] = []
    step = Trainer.prediction_step

    def watch(self: Any, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        sizes.append(len(inputs["labels"]))
        return step(self, model, inputs, *rest, **options)

    monkeypatch.setattr(Trainer, "prediction_step", watch)
    run(DO_TRAIN=False, EVAL_BATCH_SIZE=10)
    assert sizes == [10, 10, 10, 2]
    sizes.clear()
    run(DO_TRAIN=False, BATCH_SIZE=20, OVERWRITE_OUTPUT_DIR=True)
    assert sizes == [20, 12]


def test_num_workers_is_the_number_of_loading_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.utils.data import DataLoader

    from adapt_core.runtime.cores import usable_cores

    workers: list[int] = []
    initialise = DataLoader.__init__

    def watch(self: Any, *arguments: Any, **options: Any) -> None:
        workers.append(options.get("num_workers", 0))
        initialise(self, *arguments, **options)

    monkeypatch.setattr(DataLoader, "__init__", watch)
    run(NUM_WORKERS=2, DO_TRAIN=False)
    assert set(workers) == {min(2, usable_cores())}


def test_remove_unused_columns_decides_what_reaches_the_batches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Trainer

    kept: list[bool] = []
    initialise = Trainer.__init__

    def watch(self: Any, *arguments: Any, **options: Any) -> None:
        kept.append(options["args"].remove_unused_columns)
        initialise(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "__init__", watch)
    run(DO_TRAIN=False)
    run(DO_TRAIN=False, REMOVE_UNUSED_COLUMNS=False, OVERWRITE_OUTPUT_DIR=True)
    assert kept == [True, False]


# --- precision and devices ---------------------------------------------------------------------------------------


def test_fp16_is_refused_where_the_device_cannot(run: Run, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match=r"FP16: .* needs a GPU.*BF16: true"):
        run(FP16=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"log.txt", ".adapt-run.json"}


@pytest.mark.gpu
def test_fp16_trains_on_a_gpu(run: Run) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    assert run(FP16=True).training_check["verdict"] == "learned"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dtype_is_the_type_of_the_loaded_weights(weights: Any, dtype: str) -> None:
    assert {str(tensor.dtype) for tensor in weights(DTYPE=dtype).values()} == {f"torch.{dtype}"}


def test_dtype_auto_is_float32_where_the_checkpoint_s_weights_train(
    weights: Any, tiny_encoder: Path, tmp_path: Path
) -> None:
    import shutil

    from transformers import AutoModel

    half = tmp_path / "half"
    shutil.copytree(tiny_encoder, half)
    AutoModel.from_pretrained(tiny_encoder, dtype=torch.bfloat16).save_pretrained(half)
    assert {tensor.dtype for tensor in weights(MODEL_PATH=str(half)).values()} == {torch.float32}


def test_cuda_id_warns_where_there_is_no_gpu(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with caplog.at_level(logging.WARNING):
        run(cuda_id="0", DO_TRAIN=False, DO_EVAL=False)
    assert "cuda_id 0 has no effect" in caplog.text


def test_gradient_checkpointing_recomputes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.bert.modeling_bert import BertSelfAttention

    calls: list[int] = []
    forward = BertSelfAttention.forward

    def watch(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return forward(self, *arguments, **options)

    monkeypatch.setattr(BertSelfAttention, "forward", watch)
    run(DO_EVAL=False, GRADIENT_CHECKPOINTING=False)
    plain = len(calls)
    run(DO_EVAL=False, GRADIENT_CHECKPOINTING=True, OVERWRITE_OUTPUT_DIR=True)
    assert plain == 4 * 2, "steps times layers"
    assert len(calls) - plain == 2 * plain


# --- other weights, and logs -------------------------------------------------------------------------------------


def test_model_checkpoint_loads_weights_over_the_model_s(run: Run, tmp_path: Path) -> None:
    trained = run()
    measured = run(DO_TRAIN=False, MODEL_CHECKPOINT=str(tmp_path / "run" / "model"), OUTPUT_DIR=str(tmp_path / "b"))
    assert measured.metrics["before"]["loss"] == pytest.approx(trained.metrics["after"]["loss"], abs=1e-6)
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="none of the 1 tensors"):
        run(MODEL_CHECKPOINT=str(tmp_path / "other.pt"), OUTPUT_DIR=str(tmp_path / "c"))


def test_a_learning_rate_that_bursts_the_model_is_told_as_such(run: Run) -> None:
    bursting = {"LR": 1e30, "MAX_GRAD_NORM": 0, "OPTIMIZER": "sgd", "SCHEDULER_TYPE": "constant"}
    with pytest.raises(InputError, match=r"the training loss is not finite at step 2, in training rows \d.*: lower LR"):
        run(**bursting, LOGGING_STEPS=1)


def test_logging_path_gets_a_copy_of_the_log(run: Run, tmp_path: Path) -> None:
    run(DO_TRAIN=False, LOGGING_PATH=str(tmp_path / "copy.log"))
    assert (tmp_path / "copy.log").read_text() == (tmp_path / "run" / "log.txt").read_text()


def test_a_checkpoint_does_not_grow_with_the_steps_that_are_logged(run: Run, tmp_path: Path) -> None:
    """transformers keeps every logged line in each checkpoint, and in memory; metrics.jsonl has them."""
    run(LOGGING_STEPS=1, INTERVAL="steps", INTERVAL_STEPS=2, NO_OF_CHECKPOINTS=2)
    states = [tmp_path / "run" / "checkpoints" / f"checkpoint-{step}" / "trainer_state.json" for step in (2, 4)]
    assert [json.loads(state.read_text(encoding="utf-8"))["log_history"] for state in states] == [[], []]
    assert [line["step"] for line in metric_lines(tmp_path / "run", "train")] == [1, 2, 3, 4]
