"""The frozen part of a Trainer's model, as `adapt_core.hf.frozen` computes and replays it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import Trainer

from adapt_core.contracts import Job
from adapt_core.hf.frozen.part import FrozenPart
from adapt_core.hf.frozen.rows import RowSource
from adapt_core.hf.frozen.trial import Runner
from adapt_core.hf.loop.components import TrainerComponents

_GB = 10**9


def frozen_part_of(trainer: Trainer, job: Job, components: TrainerComponents) -> FrozenPart:
    """Return the frozen part of a Trainer's model. It is computed at every step where something speaks against more.

    Args:
        trainer: of the job.
        job: the work of this process.
        components: of the task.
    """
    training, accelerator = job.plan.training, trainer.accelerator
    whole = not trainer.is_fsdp_enabled and trainer.args.n_gpu <= 1
    source = components.frozen_rows if training.frozen_cache_gb > 0 and whole else None

    rounded = accelerator.mixed_precision != "no"

    def ready(batch: Mapping[str, Any]) -> Mapping[str, Any]:
        prepared = trainer._prepare_inputs(dict(batch))
        if components.model_inputs is not None:
            prepared = dict(components.model_inputs(prepared))
        else:
            trainer._set_signature_columns_if_needed()
            known = trainer._signature_columns or ()
            prepared = {name: value for name, value in prepared.items() if name in known}
        return {name: value for name, value in prepared.items() if name not in ("labels", *trainer.label_names)}

    def rows(split: Any, passes: float) -> RowSource | None:
        return None if source is None else source(split, passes)

    return FrozenPart(
        runner=Runner(job.model, ready, accelerator.autocast, rounded=rounded),
        source=rows,
        world=job.world,
        batch_size=trainer.args.per_device_eval_batch_size,
        most=int(training.frozen_cache_gb * _GB),
        settings=[job.world.device.partition(":")[0], accelerator.mixed_precision],
    )


def passes_over(job: Job) -> float:
    """Return how often training passes over its rows; 0 without training."""
    training, rows = job.plan.training, job.data.train
    if not training.do_train or rows is None or not len(rows):
        return 0.0
    if training.max_steps is None:
        return training.epochs
    of_step = training.rows_per_step * job.world.size
    return training.max_steps * of_step / len(rows)
