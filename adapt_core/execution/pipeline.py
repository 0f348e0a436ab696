"""One process of a run, from a plan to a result. It reads top to bottom, one function an arrow.

data -> model (quantized) -> method attached -> loop -> before -> train -> after -> export -> result
"""

from __future__ import annotations

import logging
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import AttachContext, Job, LoadedModel, Loop, Method, Task, TaskData, TrainResult
from adapt_core.distributed.devices import peak_memory_bytes, refuse_impossible_precision
from adapt_core.distributed.world import World, local_main_process_first
from adapt_core.execution.components import Components
from adapt_core.execution.export import export_run, size_of
from adapt_core.nn.random_state import seed_everything, untouched_random_state
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.versions import versions
from adapt_core.report import report_run
from adapt_core.report.evaluation_record import EvaluationRecord
from adapt_core.report.model_card import model_card
from adapt_core.result import RunResult
from adapt_core.run_folder.files import write_text
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.progress import ProgressReporter
from adapt_core.runtime.recorder import MetricRecorder
from adapt_core.runtime.trackers import start_trackers
from adapt_core.verification.merge import MergeCheck
from adapt_core.verification.training import TrainingCheck

log = logging.getLogger(__name__)

_NAMED = 12


def work(
    plan: Plan,
    world: World,
    parts: Components,
    registry: Registry,
    reporter: ProgressReporter,
    decision: ResumeDecision,
    stop: StopRequest | None = None,
) -> RunResult:
    """Runs the whole of a plan in this process and returns its result (every rank's is the same but for memory).

    `stop` is what the loop looks at after each step; None where nobody asks this process to stop.
    """
    folder = RunFolder(plan.output_dir)
    recorder = MetricRecorder(folder, reporter, registry.manager, world.is_main)
    refuse_impossible_precision(plan, world.device)
    with local_main_process_first(world):
        data = load_data(plan, parts.task)
    loaded = load_model(plan, parts, data, world)
    context, model = attach(plan, parts, loaded)
    training_check = TrainingCheck(model, parts.method.trainable_groups(model), plan.method.name)
    loop = parts.task.make_loop(
        Job(
            plan=plan,
            world=world,
            data=data,
            model=model,
            folder=folder,
            recorder=recorder,
            training_check=training_check,
            stop=stop or StopRequest(),
        )
    )
    merge_check = MergeCheck(model, rounded=context.quantized or loaded.dtype != "float32" or plan.training.bf16)
    parts.launcher.verify(loop, world)
    if world.is_main:
        decision.begin(plan)
        start_trackers(plan, registry)
    recorder.started(plan)
    evidence = EvaluationRecord(parts.task, data, folder, world.is_main)
    before = measure_before(plan, parts.method, loop, data, recorder, decision, evidence)
    trained = train(plan, loop, decision)
    after, test = measure_after(plan, loop, data, recorder, trained, evidence)
    result = RunResult(
        status="finished",
        task=plan.task.name,
        method=plan.method.name,
        quantization=plan.quantizer.name if plan.quantizer else None,
        launcher=plan.launcher.name,
        total_parameters=sum(p.numel() for p in model.parameters()),
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        metrics={"before": before, "after": after, "test": test},
        train_seconds=trained.seconds if trained else 0.0,
        samples_per_second=trained.samples_per_second if trained else 0.0,
        peak_memory_bytes=peak_memory_bytes(world.device),
        steps=trained.steps if trained else 0,
        artifacts={},
        training_check=training_check.verdict(),
        data=data.stats,
        versions=versions(registry),
        seed=plan.training.seed,
        config_sha256=plan.config_sha256,
        output_dir=str(folder.path),
    )
    trained_model = parts.launcher.gather_model(loop.unwrap_model())
    if world.is_main:
        result = finish(plan, parts, trained_model, context, folder, result, merge_check, registry)
    recorder.finished(result)
    return result


def load_data(plan: Plan, task: Task) -> TaskData:
    """The splits, validated and preprocessed."""
    seed_everything(plan.training.seed)
    return task.load_data()


def load_model(plan: Plan, parts: Components, data: TaskData, world: World) -> LoadedModel:
    """The base model. Seeded right before, so that a new head starts as in a plain script."""
    seed_everything(plan.training.seed)
    loaded = parts.task.load_model(data, parts.quantizer, world)
    log.info("model: %s, %s weights", type(loaded.model).__name__, loaded.dtype)
    if loaded.new_parameters:
        names = sorted(loaded.new_parameters)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        log.info("new parameters (the checkpoint did not hold them): %s%s", ", ".join(names[:_NAMED]), more)
    return loaded


def attach(plan: Plan, parts: Components, loaded: LoadedModel) -> tuple[AttachContext, Any]:
    """The method on the model."""
    wanted = plan.run.last_layer_tuning
    context = AttachContext(
        head=parts.task.head(loaded.model),
        new_parameters=loaded.new_parameters,
        train_head=parts.task.trains_head_by_default(loaded) if wanted is None else wanted,
        quantized=parts.quantizer is not None,
    )
    model = loaded.model
    if parts.quantizer is not None:
        model = parts.quantizer.prepare(model, plan.training.gradient_checkpointing)
    model = parts.method.attach(model, context)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    log.info(
        "method %s: %s of %s parameters train (%.3g %%)",
        plan.method.name,
        f"{trainable:,}",
        f"{total:,}",
        100 * trainable / total,
    )
    return context, model


def measure_before(
    plan: Plan,
    method: Method,
    loop: Loop,
    data: TaskData,
    recorder: MetricRecorder,
    decision: ResumeDecision,
    evidence: EvaluationRecord,
) -> dict[str, float] | None:
    """Metrics of the base model with its new head. No random state is touched; a resumed run reads the first run's."""
    if not plan.training.do_eval or data.validation is None:
        return None
    if decision.checkpoint is not None and decision.before is not None:
        return decision.before
    with untouched_random_state(), method.disable_adapter(loop.unwrap_model()):
        before = loop.evaluate(data.validation)
        evidence.record("before", loop, before)
    recorder.metrics("before", 0, 0.0, before)
    log.info("before: %s", in_words(before))
    return before


def train(plan: Plan, loop: Loop, decision: ResumeDecision) -> TrainResult | None:
    """Training, or None where DO_TRAIN is off."""
    return loop.train(decision.checkpoint) if plan.training.do_train else None


def measure_after(
    plan: Plan,
    loop: Loop,
    data: TaskData,
    recorder: MetricRecorder,
    trained: TrainResult | None,
    evidence: EvaluationRecord,
) -> tuple[dict[str, float] | None, dict[str, float] | None]:
    """Metrics of the trained model on validation and test. What training just measured is not measured again."""
    if not plan.training.do_eval:
        return None, None
    step = trained.steps if trained else 0
    after = None
    if trained is not None and data.validation is not None:
        after = trained.after or loop.evaluate(data.validation)
        evidence.record("after", loop, after)
        recorder.metrics("after", step, plan.training.epochs, after)
        log.info("after: %s", in_words(after))
    test = None
    if data.test is not None:
        test = loop.evaluate(data.test)
        recorder.metrics("test", step, plan.training.epochs, test)
        log.info("test: %s", in_words(test))
    return after, test


def finish(
    plan: Plan,
    parts: Components,
    model: Any,
    context: AttachContext,
    folder: RunFolder,
    result: RunResult,
    merge_check: MergeCheck,
    registry: Registry,
) -> RunResult:
    """Exports, then the model card and the report, then `result.json`, which makes the run finished."""
    artifacts, merge = export_run(plan, parts.task, parts.method, parts.quantizer, model, context, folder, merge_check)
    sizes = {name: size_of(folder.path / path) for name, path in artifacts.items()}
    result = attrs.evolve(result, artifacts=artifacts, artifact_bytes=sizes, merge=merge)
    write_text(folder.card, model_card(plan, parts.task, result))
    artifacts["model card"] = folder.card.name
    if report_run(plan, registry, folder, result):
        artifacts["report"] = folder.report.name
    if plan.run.push_to_hub:
        from adapt_core.hf.models.hub import push

        artifacts["hub"] = push(plan.run.push_to_hub, folder)
    result = attrs.evolve(result, artifacts=artifacts)
    write_text(folder.result, result.to_json())
    return result


def in_words(metrics: dict[str, float]) -> str:
    """Metrics as a short line of text."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
