"""The estimate of a plan: model inputs, steps, parameters, memory and disk."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs

from adapt_core.capabilities import (
    Memory,
    StoredBytes,
    SupportsActivationMeasurement,
    SupportsBatchPreview,
    SupportsClassCounts,
    SupportsDataFormats,
    SupportsImagePreview,
    SupportsMemoryEstimate,
    SupportsMetaInit,
    SupportsMixedPrecision,
    SupportsRankMemory,
    SupportsRowCount,
    SupportsTokenPreview,
    SupportsTrainingForward,
)
from adapt_core.config.backward_steps import steps_in_backward
from adapt_core.config.fitting import unfit
from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.distributed.devices import memory_bytes
from adapt_core.distributed.processor import precision_warnings
from adapt_core.distributed.world import World
from adapt_core.estimate.activations import Recomputed, activation_bytes
from adapt_core.estimate.checkpoints import disk_bytes, soup_warnings
from adapt_core.estimate.memory import held_gradients, training_bytes, weight_bytes
from adapt_core.estimate.ranks import RankRange, rank_ranges
from adapt_core.evaluation import Statistic
from adapt_core.execution.components import Components
from adapt_core.execution.verdict import examine_data
from adapt_core.nn.accelerators import SHARES_MEMORY, memory_of
from adapt_core.nn.parameters import count_parameters
from adapt_core.nn.random_state import seed_everything
from adapt_core.plugin.registry import Registry
from adapt_core.result_records import VerdictRecord
from adapt_core.runtime.format import size

log = logging.getLogger(__name__)

SHOWN = 3
"""Training examples that are shown as text."""

DRAWN = 8
"""Training examples that are drawn."""


@attrs.frozen(kw_only=True)
class Estimate:
    """The estimate of a run.

    Attributes:
        data: rows, dropped rows, truncated inputs, as in `result.json`.
        formats: split -> its `format`, the `distribution` that registered that, and the `reason` by which it was
            recognised; empty where the task does not tell.
        examples: training examples as (token, label) pairs; empty where the task does not show them.
        classes: training examples of each class.
        steps_per_epoch, steps: optimizer steps; 0 without training.
        processes: of the run.
        total_parameters, trainable_parameters: of the attached model; None where the task only knows after loading.
            Parameters that will be quantized count as many as they are, not as the bytes they are packed into.
        memory: of rank 0; None likewise.
        launchers: what each process would hold under every launcher that could run the plan.
        device: where the run trains; device_bytes what it has.
        process_bytes: measured: the memory of this very process (Python, the libraries, the data), which each
            process of the run will hold too.
        disk_bytes: what checkpoints and the saved model will take, the most at one time; disk_free what there is.
        warnings: what will not do.
        verdict: what checks of the data found, as in `result.json`.
        batch_size: what BATCH_SIZE auto chose, in words; None where it is given.
        recomputation: what GRADIENT_CHECKPOINTING auto chose, likewise.
        settings: what SETTINGS auto chose by the data, in words; None where nothing was left to choose.
        pictures: training examples drawn as the model sees them, a PNG, where they were asked for and there are any.
    """

    data: Mapping[str, Statistic]
    formats: Mapping[str, Mapping[str, str]]
    examples: list[list[tuple[str, str]]]
    classes: Mapping[str, int]
    steps_per_epoch: int
    steps: int
    processes: int
    total_parameters: int | None
    trainable_parameters: int | None
    memory: Memory | None
    launchers: list[RankRange]
    device: str
    device_bytes: int
    process_bytes: int
    disk_bytes: int | None
    disk_free: int
    warnings: list[str]
    verdict: VerdictRecord = attrs.field(factory=lambda: VerdictRecord())
    batch_size: str | None = None
    recomputation: str | None = None
    settings: str | None = None
    pictures: bytes | None = None

    def to_data(self) -> dict[str, Any]:
        """JSON-ready form; `activations_are_an_estimate` says so for whom reads no documentation."""
        found = attrs.asdict(self, filter=lambda attribute, _: attribute.name != "pictures")
        if self.memory is not None:
            found["memory"] |= {"total": self.memory.total, "activations_are_an_estimate": True}
        for share, told in zip(self.launchers, found["launchers"], strict=True):
            told["memory"]["total"] = share.memory.total
        return found


def estimate_run(plan: Plan, registry: Registry, pictures: bool = False) -> Estimate:
    """Load and prepare the data (which the run finds again in its cache) and counts on a model without weights.

    Args:
        plan: of the run.
        registry: for the task and the method.
        pictures: draw a few training examples too, where the task sees pictures.

    Raises:
        InputError, DataError: what the run would refuse.
    """
    import psutil

    from adapt_core.distributed.devices import first_device

    components = Components.of(plan)
    seed_everything(plan.training.seed)
    data = components.task.load_data()
    device = first_device(plan)
    processes = components.launcher.processes() if isinstance(components.launcher, SupportsRankMemory) else 1
    per_epoch, steps = _steps(plan, components.task, data, processes)
    task: object = components.task if data.train is not None else None
    total, trainable, memory, launchers, disk = _counts(plan, components, data, registry, steps, device)
    there = next(path for path in (Path(plan.output_dir), *Path(plan.output_dir).parents) if path.exists())
    found = Estimate(
        data=data.stats,
        formats=_formats(components.task),
        examples=task.seen_by_model(data, SHOWN) if isinstance(task, SupportsTokenPreview) else [],
        classes=task.class_counts(data) if isinstance(task, SupportsClassCounts) else {},
        steps_per_epoch=per_epoch,
        steps=steps,
        processes=processes,
        total_parameters=total,
        trainable_parameters=trainable,
        memory=memory,
        launchers=launchers,
        device=device,
        device_bytes=_device_bytes(device),
        process_bytes=psutil.Process().memory_info().rss,
        disk_bytes=disk,
        disk_free=shutil.disk_usage(there).free,
        warnings=[],
        pictures=task.drawn_examples(data, DRAWN) if pictures and isinstance(task, SupportsImagePreview) else None,
    )
    verdict = examine_data(
        plan, registry, components.task, data, lambda: components.task.load_model(data, None, World()).model
    )
    warnings = [
        *data.findings,
        *verdict.warnings,
        *unfit(plan, steps),
        *soup_warnings(plan, steps),
        *_precision_warnings(plan, components.launcher, device),
        *_warnings(found, plan),
    ]
    return attrs.evolve(found, verdict=verdict.to_data(), warnings=warnings)


def foretold_memory(plan: Plan, registry: Registry, device: str) -> Memory | None:
    """Return what rank 0 of a plan will hold on a device; None where the task only knows after loading.

    Raises:
        InputError, DataError: what the run would refuse.
    """
    components = Components.of(plan)
    seed_everything(plan.training.seed)
    data = components.task.load_data()
    return _counts(plan, components, data, registry, 0, device)[2]


def _formats(task: object) -> dict[str, dict[str, str]]:
    found = task.data_formats() if isinstance(task, SupportsDataFormats) else {}
    return {split: one.to_data() for split, one in found.items()}


def _steps(plan: Plan, task: object, data: TaskData, processes: int) -> tuple[int, int]:
    if data.train is None:
        return 0, 0
    training = plan.training
    rows = task.training_rows(data) if isinstance(task, SupportsRowCount) else len(data.train)
    batches = math.ceil(rows / (training.batch_size * processes))
    per_epoch = math.ceil(batches / training.gradient_accumulation_steps)
    return per_epoch, training.max_steps or math.ceil(training.epochs * per_epoch)


def _counts(
    plan: Plan, components: Components, data: TaskData, registry: Registry, steps: int, device: str
) -> tuple[int | None, int | None, Memory | None, list[RankRange], int | None]:
    task = components.task
    if not isinstance(task, SupportsMetaInit):
        return None, None, None, [], None
    loaded = task.load_structure(data)
    head = task.head(loaded.model)
    quantized: Mapping[str, StoredBytes] = {}
    quantizer: object = components.quantizer
    if isinstance(quantizer, SupportsMemoryEstimate):
        from adapt_core.nn.structure import full_precision_modules

        quantized = quantizer.quantized_bytes(loaded.model, full_precision_modules(head, loaded.new_parameters))
    if quantized:
        for parameter in loaded.model.parameters():
            parameter.requires_grad_(False)
    model = components.method.attach(loaded.model, components.attach_context(plan, loaded))
    weights = weight_bytes(model, quantized)
    gradients, states = training_bytes(model, plan.training)
    states += gradients if plan.training.ema else 0  # as many averages
    traced = None
    if data.train is not None and isinstance(task, SupportsBatchPreview):
        recomputed = Recomputed.of(plan.training)
        batch = task.largest_batch(data)
        forward = task.training_forward(model) if isinstance(task, SupportsTrainingForward) else None
        with forward or nullcontext():
            traced = activation_bytes(model, batch, device, recomputed)
    elif data.train is not None and isinstance(task, SupportsActivationMeasurement):
        traced = task.measured_activations(model.train(), data)
    copy = gradients + states if plan.training.background_checkpoints else 0
    memory = Memory(weights=weights, gradients=gradients, optimizer=states, activations=traced, checkpoint=copy)
    method = registry.methods.find(plan.method.name)
    adapter = method is not None and method.spec.is_peft
    merges = not quantized if plan.run.merge_adapter is None else plan.run.merge_adapter
    disk = disk_bytes(plan, memory, steps, adapter=adapter, exports=merges or not adapter)
    if data.train is None:
        memory = attrs.evolve(memory, gradients=0, optimizer=0, checkpoint=0)
    counts = count_parameters(model)
    counted = rank_ranges(plan, registry, model, quantized, memory)
    if data.train is not None:
        counted = [_holding(share, plan, held_gradients(model)) for share in counted]
    own = next((share.memory for share in counted if share.launcher == plan.launcher.name), memory)
    return counts.total, counts.trainable, own, counted, disk


def _holding(share: RankRange, plan: Plan, held: int) -> RankRange:
    """Return what processes hold, with few gradients at a time where the optimizer steps inside the backward pass."""
    if not steps_in_backward(plan.training, share.launcher, plan.loop):
        return share
    return attrs.evolve(share, memory=attrs.evolve(share.memory, gradients=held))


def _device_bytes(device: str) -> int:
    return memory_bytes() if device == "cpu" else memory_of(device)


def _precision_warnings(plan: Plan, launcher: object, device: str) -> list[str]:
    own = launcher.mixed_precision() if isinstance(launcher, SupportsMixedPrecision) else None
    return precision_warnings(plan, device, launched_bf16=None if own is None else own == "bf16")


def _warnings(found: Estimate, plan: Plan) -> list[str]:
    warnings = []
    if found.memory is not None and _needed(found) > found.device_bytes:
        warnings.append(
            f"memory: about {size(_needed(found))} is needed and {found.device} has {size(found.device_bytes)}: "
            "lower BATCH_SIZE, set GRADIENT_CHECKPOINTING: true, or train an adapter (LoRA) on a 4-bit base."
        )
    if found.disk_bytes is not None and found.disk_bytes > found.disk_free:
        warnings.append(
            f"disk: {size(found.disk_bytes)} will be written to {plan.output_dir} and {size(found.disk_free)} is free: "
            "lower NO_OF_CHECKPOINTS, or give another OUTPUT_DIR."
        )
    counts = [count for count in found.classes.values() if count]
    if len(counts) > 1 and max(counts) > 10 * min(counts):
        warnings.append("classes: the largest has more than ten times the examples of the smallest.")
    empty = [name for name, count in found.classes.items() if not count]
    if empty:
        warnings.append(f"classes without any training example: {', '.join(empty[:5])}.")
    return warnings


def _needed(found: Estimate) -> int:
    """Return what the device must hold; in the machine's own memory that of every process, themselves included."""
    assert found.memory is not None
    if found.device not in SHARES_MEMORY:
        return found.memory.total
    return (found.memory.total + found.process_bytes) * found.processes
