"""Shared code of the plain scripts: files and sampled rows, the phases of a run, and the printed JSON object."""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from datasets import DatasetDict, disable_progress_bars, load_dataset
from transformers import Trainer, set_seed

SEED = 42
IGNORED = -100


def rows_of(data: Path) -> DatasetDict:
    """Return a folder's train.* and validation.* rows (csv or jsonl)."""
    disable_progress_bars()
    suffix = next(data.glob("train.*")).suffix
    files = {split: str(data / f"{split}{suffix}") for split in ("train", "validation")}
    return load_dataset({".csv": "csv", ".jsonl": "json"}[suffix], data_files=files)


def sampled(raw: DatasetDict, max_train: int | None, max_eval: int | None) -> DatasetDict:
    """Return as many rows of each split as adapt draws, in their order."""
    for split, rows in (("train", max_train), ("validation", max_eval)):
        if rows is not None and rows < len(raw[split]):
            chosen = numpy.random.default_rng(SEED).choice(len(raw[split]), size=rows, replace=False)
            raw[split] = raw[split].select(sorted(chosen.tolist()))
    return raw


def common_arguments(folder: Path, *, epochs: float, lr: float, batch_size: int, logging_steps: int) -> dict[str, Any]:
    """Return the TrainingArguments that all plain scripts share."""
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": batch_size,
        "per_device_eval_batch_size": batch_size,
        "num_train_epochs": epochs,
        "learning_rate": lr,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "logging_steps": logging_steps,
        "seed": SEED,
        "use_cpu": not torch.cuda.is_available(),
        "disable_tqdm": True,
        "report_to": [],
    }


def peak_memory_bytes() -> int:
    """Return the peak allocated memory on a GPU, or else the peak resident memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def sharded_arguments(layers: Sequence[str]) -> dict[str, Any]:
    """Return the TrainingArguments of accelerate's FSDP (version 2), on a CPU too.

    accelerate shards on accelerators alone: a state that is configured before is its way around that.

    Args:
        layers: classes of the layers that are gathered one at a time.
    """
    state: dict[str, Any] = {}
    if not torch.cuda.is_available():
        from accelerate import PartialState
        from accelerate.utils import DistributedType

        PartialState(cpu=True).distributed_type = DistributedType.MULTI_GPU
        state = {"accelerator_config": {"use_configured_state": True}}
    config = {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "transformer_layer_cls_to_wrap": list(layers),
        "reshard_after_forward": True,
        "state_dict_type": "SHARDED_STATE_DICT",
        "cpu_ram_efficient_loading": False,
    }
    return {"fsdp": True, "fsdp_config": config, **state}


class WeighsLabels(Trainer):
    """A Trainer whose evaluation loss is the mean over all labels, in double precision, as adapt's is.

    transformers' own is a mean over batches, whatever their numbers of labels, and so depends on the order of rows.
    """

    _sums: tuple[float, int] = (0.0, 0)

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, *arguments: Any, **options: Any
    ) -> Any:
        """Add the loss of a batch by its number of labels."""
        labels = int(inputs["labels"].ne(IGNORED).sum())
        predicted = super().prediction_step(model, inputs, prediction_loss_only, *arguments, **options)
        self._sums = self._sums[0] + float(predicted[0]) * labels, self._sums[1] + labels
        return predicted

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """Evaluate, and replace the loss."""
        self._sums = 0.0, 0
        output = super().evaluation_loop(*arguments, **options)
        name = f"{options.get('metric_key_prefix', 'eval')}_loss"
        return output._replace(metrics={**output.metrics, name: self._sums[0] / self._sums[1]})


def evaluated_and_trained(
    make_trainer: Callable[[], Trainer], folder: Path, metrics: Sequence[str], *, before_too: bool = True
) -> dict[str, Any]:
    """Evaluate, train and save.

    Args:
        make_trainer: called twice, with one model.
        folder: where the model goes, under `model`.
        metrics: the names that are given back.
        before_too: False where a model that was evaluated cannot be sharded any more.
    """
    before = make_trainer().evaluate() if before_too else {}
    trainer = make_trainer()
    # accelerate marks a model that was evaluated as wrapped: without this each process of torchrun would train alone.
    trainer.model._is_accelerate_prepared = False
    set_seed(SEED)
    outcome = trainer.train()
    trainer.save_model(str(folder / "model"))
    history = trainer.state.log_history
    after = [entry for entry in history if "eval_loss" in entry][-1]
    return {
        "losses": [entry["loss"] for entry in history if "loss" in entry],
        "before": {name: before[f"eval_{name}"] for name in metrics if before},
        "after": {name: after[f"eval_{name}"] for name in metrics},
        "train_seconds": outcome.metrics["train_runtime"],
        "samples_per_second": outcome.metrics["train_samples_per_second"],
        "peak_memory_bytes": peak_memory_bytes(),
    }


def command_line(train: Callable[..., dict[str, Any]]) -> None:
    """Parse `MODEL DATA FOLDER '{"epochs": ...}'`, call `train` and print its result."""
    parser = argparse.ArgumentParser(description=train.__doc__)
    parser.add_argument("model_path")
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("settings", type=json.loads, help="keyword arguments, as a JSON object")
    given = parser.parse_args()
    print(json.dumps(train(given.model_path, given.data, given.folder, **given.settings)))
