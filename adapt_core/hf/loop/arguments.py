"""A plan's training parameters as transformers' TrainingArguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapt_core.config.data_places import data_places
from adapt_core.config.plan import Plan
from adapt_core.distributed.world import World
from adapt_core.evaluation import OF_PLACE
from adapt_core.nn.accelerators import SHARES_MEMORY
from adapt_core.plugin.import_strings import is_import_string
from adapt_core.runtime.cores import loading_processes

# The same arithmetic in one kernel, and transformers' own default: an AdamW step takes a quarter of the time.
_KERNELS = {"adamw_torch": "adamw_torch_fused"}
_PLACEHOLDER = "adamw_torch"


def training_arguments(
    plan: Plan, world: World, checkpoints: Path, metrics: Mapping[str, str], has_validation: bool
) -> dict[str, Any]:
    """Return the keyword arguments of TrainingArguments.

    Args:
        plan: the plan.
        world: this process's rank and device.
        checkpoints: the folder of checkpoints.
        metrics: the task's metrics, the one that decides what is best first.
        has_validation: whether there is a validation split.
    """
    training = plan.training
    optimizer = _PLACEHOLDER if is_import_string(training.optimizer) else training.optimizer  # see `named`
    on_cpu = world.device == "cpu"
    evaluates = training.do_eval and has_validation
    arguments: dict[str, Any] = {
        "output_dir": str(checkpoints),
        "do_train": training.do_train,
        "do_eval": evaluates,
        "per_device_train_batch_size": training.batch_size,
        "per_device_eval_batch_size": training.eval_batch_size or training.batch_size,
        "num_train_epochs": training.epochs,
        "max_steps": training.max_steps or -1,
        "optim": _KERNELS.get(optimizer, optimizer),
        "learning_rate": training.lr,
        "lr_scheduler_type": "constant" if is_import_string(training.scheduler_type) else training.scheduler_type,
        "warmup_steps": training.warmup_iters or training.warmup_ratio,
        "weight_decay": training.weight_decay,
        "adam_beta1": training.beta1,
        "adam_beta2": training.beta2,
        "adam_epsilon": training.adam_eps,
        "max_grad_norm": training.max_grad_norm,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "activation_checkpointing": training.gradient_checkpointing,
        "fp16": training.fp16,
        "bf16": training.bf16,
        "eval_strategy": training.interval if evaluates else "no",
        "eval_steps": training.interval_steps,
        "save_strategy": training.interval,
        "save_steps": training.interval_steps,
        "logging_strategy": "steps",
        "logging_steps": training.logging_steps,
        "logging_nan_inf_filter": False,
        "dataloader_num_workers": loading_processes(training.num_workers),
        "dataloader_pin_memory": world.device not in SHARES_MEMORY,
        "remove_unused_columns": plan.data.remove_unused_columns,
        "seed": training.seed,
        "use_cpu": on_cpu,
        "disable_tqdm": True,
        "report_to": [],
    }
    if training.keep_attention:
        from adapt_core.nn.recomputation import CHECKPOINT_OPTIONS

        arguments["activation_checkpointing_kwargs"] = CHECKPOINT_OPTIONS
    arguments.update(world.options)
    if training.group_by_length:
        arguments["train_sampling_strategy"] = "group_by_length"
    if evaluates and (training.keep == "best" or training.early_stopping_patience):
        name, direction = best_metric(plan, metrics)
        arguments["metric_for_best_model"] = name
        arguments["greater_is_better"] = direction == "higher"
        arguments["load_best_model_at_end"] = training.keep == "best"
        arguments["restore_callback_states_from_checkpoint"] = training.early_stopping_patience is not None
    return arguments


def best_metric(plan: Plan, metrics: Mapping[str, str]) -> tuple[str, str]:
    """Return the metric that decides what is best, and whether "higher" or "lower" is better."""
    wanted = plan.training.metric_for_best
    further = {name: metric.direction for metric in plan.metrics for name in metric.figures}
    known = {"loss": "lower", **further, **metrics}
    if wanted is None:
        name = next(iter(metrics), "loss")
        return name, known[name]
    metric, at, of = wanted.removeprefix("eval_").casefold().partition(OF_PLACE)
    name = next(name for name in known if name.casefold() == metric)
    place = next((place.name for place in data_places(plan.data) if place.name.casefold() == of), "")
    return f"{name}{at}{place}", known[name]
