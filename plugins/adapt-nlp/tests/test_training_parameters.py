"""Every common training parameter takes effect: each test fails when its parameter is ignored."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader

import adapt_core
from adapt_core.errors import InputError
from adapt_core.hf.loop.callbacks import MetricsCallback

Run = Callable[..., Any]
Weights = dict[str, torch.Tensor]
QUIET = {"DO_EVAL": False, "INTERVAL": "no"}


@pytest.fixture
def weights(run: Run, tmp_path: Path) -> Callable[..., Weights]:
    """The final weights of a run with changes."""
    count = iter(range(100))

    def of(**changes: Any) -> Weights:
        folder = tmp_path / f"weights-{next(count)}"
        run(**{**QUIET, **changes, "OUTPUT_DIR": str(folder)})
        return load_file(folder / "model" / "model.safetensors")

    return of


@pytest.fixture(scope="module")
def unchanged(small: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """The final weights of that run without changes, made once."""
    folder = tmp_path_factory.mktemp("unchanged")
    adapt_core.run({**small, **QUIET, "OUTPUT_DIR": str(folder / "run")})
    return load_file(folder / "run" / "model" / "model.safetensors")


def equal(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def metric_lines(folder: Path, phase: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["phase"] == phase]


# --- what changes the weights ------------------------------------------------------------------------------------


def test_the_same_config_gives_the_same_weights_bit_for_bit(unchanged: Weights, weights: Any) -> None:
    assert equal(unchanged, weights())


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
        {"GROUP_BY_LENGTH": False},
        {"MAX_TRAIN_SAMPLES": 48},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_parameter_of_the_arithmetic_changes_the_weights(
    unchanged: Weights, weights: Any, change: dict[str, Any]
) -> None:
    assert not equal(unchanged, weights(**change))


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
def test_a_parameter_beside_the_arithmetic_leaves_the_weights_alone(
    unchanged: Weights, weights: Any, change: dict[str, Any]
) -> None:
    assert equal(unchanged, weights(**change))


def test_evaluation_before_and_while_training_leaves_the_weights_alone(unchanged: Weights, weights: Any) -> None:
    assert equal(unchanged, weights(DO_EVAL=True, INTERVAL="steps", INTERVAL_STEPS=1))


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
        if self.training:  # The model is also asked, before training, whether padding changes its outputs.
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


def test_evaluations_leave_no_loader_behind(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """accelerate keeps every loader that it prepares, and transformers prepares one for each evaluation."""
    kept = []
    on_evaluate = MetricsCallback.on_evaluate

    def count(self: MetricsCallback, *args: Any, **kwargs: Any) -> None:
        gc.collect()
        kept.append(sum(isinstance(held, DataLoader) for held in gc.get_objects()))
        on_evaluate(self, *args, **kwargs)

    monkeypatch.setattr(MetricsCallback, "on_evaluate", count)
    run(INTERVAL="steps", INTERVAL_STEPS=1, MAX_STEPS=4)
    assert len(kept) >= 5
    assert kept[1] == kept[-2]
