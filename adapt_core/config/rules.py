"""Combinations of keys that cannot run, found before anything heavy is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from adapt_core.config.backward_steps import LOOP, obstacles
from adapt_core.config.core_params.data import DataParams
from adapt_core.config.core_params.training import TrainingParams
from adapt_core.config.data_places import data_places, further_faults, place_faults
from adapt_core.config.sections import Given
from adapt_core.config.selection import Selection
from adapt_core.config.stop_after import budget_seconds, stop_after
from adapt_core.errors import Problem
from adapt_core.evaluation import OF_PLACE


def contradictions(values: Mapping[str, Any], places: Mapping[str, Given], selection: Selection) -> Iterator[Problem]:
    """The combinations of core keys that cannot run.

    Args:
        values: core's groups ("data", "model", "training", "run") -> instances.
        places: folded key -> where it was given.
        selection: what was chosen.
    """
    training, data, run = values["training"], values["data"], values["run"]

    def problem(key: str, message: str, hint: str | None = None) -> Problem:
        place = places.get(key.casefold())
        return Problem(message, key=place.written if place else key, where=place.where if place else None, hint=hint)

    if training.fp16 and training.bf16:
        yield problem("BF16", "contradicts FP16: mixed precision has one type.", "Turn one off.")
    if training.fp16 and values["model"].dtype == "float16":
        message = "cannot train weights held in float16 (gradients cannot be unscaled)."
        yield problem("FP16", message, "Set DTYPE: float32, or turn FP16 off.")
    launcher, task = selection.launcher, selection.task
    if training.step_in_backward and launcher is not None and task is not None:
        for message, hint in obstacles(training, launcher.spec.name, task.spec.loop.name):
            yield problem("STEP_IN_BACKWARD", message, hint)
    if training.keep_attention and not training.gradient_checkpointing:
        message = "chooses what GRADIENT_CHECKPOINTING keeps, which is off."
        yield problem("KEEP_ATTENTION", message, "Set GRADIENT_CHECKPOINTING: true, or remove KEEP_ATTENTION.")
    if training.keep_attention and launcher is not None and launcher.spec.shards_layers:
        message = f"is for blocks that the Trainer recomputes, and {launcher.spec.name} recomputes them itself."
        yield problem("KEEP_ATTENTION", message, "Remove KEEP_ATTENTION.")
    for message, hint in _reasons_against_recomputed_mlp(training):
        yield problem("RECOMPUTE_MLP", message, hint)
    if training.compile and launcher is not None and launcher.spec.shards_layers:
        message = f"cannot compile layers whose weights {launcher.spec.name} gathers while they are called."
        yield problem("COMPILE", message, "Leave COMPILE out, or train under DDP or in one process.")
    if training.ema and launcher is not None and launcher.spec.shards_layers:
        yield problem("EMA", f"averages whole weights, and {launcher.spec.name} shards them.", "Leave EMA out.")
    for key, message, hint in _soup_faults(training, selection):
        yield problem(key, message, hint)
    if training.head_lr is not None and not training.lr:
        message = "is kept as a multiple of LR, which is 0."
        yield problem("HEAD_LR", message, "Train the head alone (method: last_layer, LR: its rate), or raise LR.")
    if training.ema and task is not None and not task.spec.loop.averages:
        yield problem("EMA", f"is not known to the loop that {task.spec.name} trains in.", "Leave EMA out.")
    of_the_trainer = {
        "KEEP_ATTENTION": training.keep_attention,
        "COMPILE": training.compile,
        "RECOMPUTE_MLP": training.recompute_mlp,
    }
    for key, wanted in of_the_trainer.items():
        if wanted and task is not None and task.spec.loop.name != LOOP:
            yield problem(key, "is for tasks that train with transformers' Trainer.", f"Remove {key}.")
    evaluates = training.do_eval and training.interval != "no"
    for key, wanted in (
        ("KEEP", training.keeps_best),
        ("EARLY_STOPPING_PATIENCE", training.early_stopping_patience),
    ):
        if wanted and training.do_train and not evaluates:
            message = "needs evaluations while training."
            yield problem(key, message, "Set DO_EVAL: true and INTERVAL: epoch or steps.")
    package = task.spec.loop.optimizers.get(training.optimizer) if task is not None else None
    if training.do_train and package is not None and find_spec(package) is None:
        yield problem("OPTIMIZER", f"{training.optimizer} is in {package}.", f"pip install {package}")
    if data.fold is not None and not 1 <= data.fold <= (data.folds or 0):
        yield problem("FOLD", f"{data.fold} is none of {data.folds or 'no'} FOLDS.", "Set FOLDS, or leave FOLD out.")
    if data.folds is not None:
        if not (training.do_train and training.do_eval):
            yield problem("FOLDS", "trains and validates each fold.", "Set DO_TRAIN: true and DO_EVAL: true.")
        if run.push_to_hub:
            yield problem("FOLDS", "makes several models, and PUSH_TO_HUB uploads one.", "Leave PUSH_TO_HUB out.")
        if fault := _scikit_learn_fault():
            yield problem("FOLDS", fault, 'pip install "scikit-learn>=1.6"')
    if training.seeds is not None:
        if not training.do_train:
            yield problem("SEEDS", "trains once for each seed.", "Set DO_TRAIN: true, or leave SEEDS out.")
        if run.push_to_hub:
            yield problem("SEEDS", "makes several models, and PUSH_TO_HUB uploads one.", "Leave PUSH_TO_HUB out.")
        if data.folds is not None:
            yield problem("SEEDS", "repeats a run, and FOLDS is several.", "Leave one of them out.")
        if find_spec("scipy") is None:
            yield problem("SEEDS", "needs scipy for its intervals, which is not installed.", "pip install scipy")
    if training.retries and launcher is not None and launcher.spec.name == "local":
        message = "starts processes again, and a run without a launcher is this process."
        yield problem("RETRIES", message, "Set DDP: true or FSDP: true, or leave RETRIES out.")
    try:
        stop_after(training.stop_after)
    except ValueError as error:
        yield problem("STOP_AFTER", str(error))
    yield from (problem("BUDGET", *fault) for fault in _budget_faults(training, data))
    faults = list(place_faults(data))
    for message, hint in faults:
        yield problem("CUSTOM_DATASET_PATH", message, hint)
    for message, hint in further_faults(data):
        yield problem("ALSO_EVALUATE", message, hint)
    if data.also_evaluate and not training.do_eval:
        yield problem("ALSO_EVALUATE", "evaluates further data sets, and DO_EVAL is false.", "Set DO_EVAL: true.")
    if training.metrics and not training.do_eval:
        yield problem("METRICS", "are measured in evaluations, and DO_EVAL is false.", "Set DO_EVAL: true.")
    if training.metric_for_best is not None and task is not None:
        known = tuple(dict.fromkeys(("loss", *task.spec.metrics, *selection.figures)))
        metric, _, of = training.metric_for_best.removeprefix("eval_").casefold().partition(OF_PLACE)
        names = () if faults else tuple(place.name for place in data_places(data))
        if metric not in {name.casefold() for name in known} or (of and of not in map(str.casefold, names)):
            each = f", each also as {known[-1]}{OF_PLACE}{names[0]} and so on" if names else ""
            message = f"{task.spec.name} has no metric {training.metric_for_best!r}; it has {', '.join(known)}{each}."
            yield problem("METRIC_FOR_BEST", message, hint="METRICS adds others.")
    if data.dataset and data.custom_dataset_path:
        place = places.get("dataset")
        at = f" ({place.where})" if place else ""
        yield problem("CUSTOM_DATASET_PATH", f"contradicts DATASET{at}: the data comes from one place.", "Keep one.")
    if not (data.dataset or data.custom_dataset_path or data.train_dir):
        yield problem(
            "CUSTOM_DATASET_PATH", "no data is given.", "Set CUSTOM_DATASET_PATH (your files) or DATASET (a hub id)."
        )
    model = values["model"]
    if not (model.model_path or model.local_model_path):
        hint = "Set it to a hub id, a folder, or package:NAME/path."
        yield problem("MODEL_PATH", "no model is given.", hint)
    method = selection.method
    if (
        launcher is not None
        and task is not None
        and launcher.spec.loops
        and (loop := task.spec.loop.name) not in launcher.spec.loops
    ):
        loops = ", ".join(sorted(launcher.spec.loops))
        message = f"{launcher.spec.name} serves {loops} loops, and {task.spec.name} trains in the {loop} loop."
        yield problem("launcher", message)
    if selection.quantizer is not None and method is not None and not method.spec.on_quantized:
        switch = selection.quantizer.spec.switch
        message = f"quantized weights cannot train, and method {method.spec.name} trains them."
        yield problem(switch, message, "Use LoRA, DoRA, SSF or last_layer on a quantized base.")
    if not re.fullmatch("[a-z_]+", run.device):
        yield problem("DEVICE", f"must be auto, cpu, cuda, mps, xpu or another type of torch's; not {run.device!r}.")
    if run.cuda_id is not None and not all(part.strip().isdigit() for part in run.cuda_id.split(",")):
        yield problem("cuda_id", f"must be numbers of GPUs, as in '0' or '0,1'; not {run.cuda_id!r}.")


def _reasons_against_recomputed_mlp(training: TrainingParams) -> Iterator[tuple[str, str]]:
    if not training.recompute_mlp:
        return
    if training.gradient_checkpointing:
        yield "is done by GRADIENT_CHECKPOINTING, which recomputes whole blocks.", "Remove one of them."
    if training.compile:
        yield "is not known to compiled blocks.", "Remove RECOMPUTE_MLP or COMPILE."
    if not training.lean_layers:
        yield "changes what LEAN_LAYERS keeps, which is off.", "Remove LEAN_LAYERS: false, or RECOMPUTE_MLP."


def _soup_faults(training: TrainingParams, selection: Selection) -> Iterator[tuple[str, str, str]]:
    """Why KEEP: soup cannot be served: (key, reason, what to do)."""
    if training.keep != "soup":
        return
    launcher, task = selection.launcher, selection.task
    if launcher is not None and launcher.spec.shards_layers:
        message = f"soup averages whole weights, and {launcher.spec.name} shards them."
        yield "KEEP", message, "Set KEEP: last, or train under DDP or in one process."
    if task is not None and not task.spec.loop.averages:
        message = f"soup is not known to the loop that {task.spec.name} trains in."
        yield "KEEP", message, "Set KEEP: best or last."
    if training.no_of_checkpoints < 2:
        yield "NO_OF_CHECKPOINTS", "KEEP: soup averages several checkpoints.", "Set NO_OF_CHECKPOINTS: 2 or more."


def _budget_faults(training: TrainingParams, data: DataParams) -> Iterator[tuple[str, str | None]]:
    try:
        budget_seconds(training.budget)
    except ValueError as error:
        yield str(error), None
    if training.budget is not None and (training.seeds or data.folds):
        key = "SEEDS" if training.seeds else "FOLDS"
        yield f"bounds one run, and {key} makes several.", "Leave one of them out."


def _scikit_learn_fault() -> str | None:
    """Return why the scikit-learn that is installed makes no folds, or None. GroupKFold shuffles as of 1.6."""
    if find_spec("sklearn") is None:
        return "needs scikit-learn, which is not installed."
    found = version("scikit-learn")
    numbers = [int(part) for part in re.findall(r"\d+", found)[:2]]
    return f"needs scikit-learn 1.6 or later; {found} is installed." if numbers < [1, 6] else None
