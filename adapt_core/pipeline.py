"""One process of a run, from a plan to a result. It reads top to bottom, one function an arrow.

data -> model (quantized) -> method attached -> loop -> before -> train -> after -> export -> result
"""

from __future__ import annotations

import logging
from typing import Any

import attrs

from adapt_core.admission import Admission
from adapt_core.contracts import Job, LoadedModel, Loop, Method, Site, Task, TaskData, Trained, World
from adapt_core.devices import peak_memory_bytes, refuse_impossible_precision
from adapt_core.evidence import Evidence
from adapt_core.exporting import export_run, size_of
from adapt_core.files import write_text
from adapt_core.learning_proof import LearningProof
from adapt_core.merge_proof import MergeProof
from adapt_core.model_card import model_card
from adapt_core.parts import Parts
from adapt_core.plan import Plan
from adapt_core.random_state import seed_everything, untouched_random_state
from adapt_core.registry import Registry
from adapt_core.relay import Relay
from adapt_core.report import report_run
from adapt_core.result import RunResult
from adapt_core.run_folder import RunFolder
from adapt_core.screen import Screen
from adapt_core.stopping import StopRequest
from adapt_core.trackers import start_trackers
from adapt_core.turns import local_main_first
from adapt_core.versions import versions

log = logging.getLogger(__name__)

_NAMED = 12


def work(
    plan: Plan,
    world: World,
    parts: Parts,
    registry: Registry,
    screen: Screen,
    admission: Admission,
    stop: StopRequest | None = None,
) -> RunResult:
    """Runs the whole of a plan in this process and returns its result (every rank's is the same but for memory).

    `stop` is what the loop looks at after each step; None where nobody asks this process to stop.
    """
    folder = RunFolder(plan.output_dir)
    relay = Relay(folder, screen, registry.manager, world.is_main)
    refuse_impossible_precision(plan, world.device)
    with local_main_first(world):
        data = load_data(plan, parts.task)
    loaded = load_model(plan, parts, data, world)
    site, model = attach(plan, parts, loaded)
    proof = LearningProof(model, parts.method.groups(model), plan.method.name)
    loop = parts.task.make_loop(
        Job(
            plan=plan,
            world=world,
            data=data,
            model=model,
            folder=folder,
            relay=relay,
            proof=proof,
            stop=stop or StopRequest(),
        )
    )
    merge_proof = MergeProof(model, rounded=site.quantized or loaded.dtype != "float32" or plan.training.bf16)
    parts.launcher.verify(loop, world)
    if world.is_main:
        admission.begin(plan)
        start_trackers(plan, registry)
    relay.started(plan)
    evidence = Evidence(parts.task, data, folder, world.is_main)
    before = measure_before(plan, parts.method, loop, data, relay, admission, evidence)
    trained = train(plan, loop, admission)
    after, test = measure_after(plan, loop, data, relay, trained, evidence)
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
        learning=proof.verdict(),
        data=data.facts,
        versions=versions(registry),
        seed=plan.training.seed,
        config_sha256=plan.config_sha256,
        output_dir=str(folder.path),
    )
    trained_model = parts.launcher.consolidate(loop.plain_model())
    if world.is_main:
        result = finish(plan, parts, trained_model, site, folder, result, merge_proof, registry)
    relay.finished(result)
    return result


def load_data(plan: Plan, task: Task) -> TaskData:
    """The splits, validated and preprocessed."""
    seed_everything(plan.training.seed)
    return task.load_data()


def load_model(plan: Plan, parts: Parts, data: TaskData, world: World) -> LoadedModel:
    """The base model. Seeded right before, so that a new head starts as in a plain script."""
    seed_everything(plan.training.seed)
    loaded = parts.task.load_model(data, parts.quantizer, world)
    log.info("model: %s, %s weights", type(loaded.model).__name__, loaded.dtype)
    if loaded.new_parameters:
        names = sorted(loaded.new_parameters)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        log.info("new parameters (the checkpoint did not hold them): %s%s", ", ".join(names[:_NAMED]), more)
    return loaded


def attach(plan: Plan, parts: Parts, loaded: LoadedModel) -> tuple[Site, Any]:
    """The method on the model."""
    wanted = plan.run.last_layer_tuning
    site = Site(
        head=parts.task.head(loaded.model),
        new_parameters=loaded.new_parameters,
        train_head=parts.task.trains_head_by_default(loaded) if wanted is None else wanted,
        quantized=parts.quantizer is not None,
    )
    model = loaded.model
    if parts.quantizer is not None:
        model = parts.quantizer.prepare(model, plan.training.gradient_checkpointing)
    model = parts.method.attach(model, site)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    log.info(
        "method %s: %s of %s parameters train (%.3g %%)",
        plan.method.name,
        f"{trainable:,}",
        f"{total:,}",
        100 * trainable / total,
    )
    return site, model


def measure_before(
    plan: Plan, method: Method, loop: Loop, data: TaskData, relay: Relay, admission: Admission, evidence: Evidence
) -> dict[str, float] | None:
    """Metrics of the base model with its new head. No random state is touched; a resumed run reads the first run's."""
    if not plan.training.do_eval or data.validation is None:
        return None
    if admission.checkpoint is not None and admission.before is not None:
        return admission.before
    with untouched_random_state(), method.base_only(loop.plain_model()):
        before = loop.evaluate(data.validation)
        evidence.take("before", loop, before)
    relay.metrics("before", 0, 0.0, before)
    log.info("before: %s", in_words(before))
    return before


def train(plan: Plan, loop: Loop, admission: Admission) -> Trained | None:
    """Training, or None where DO_TRAIN is off."""
    return loop.train(admission.checkpoint) if plan.training.do_train else None


def measure_after(
    plan: Plan, loop: Loop, data: TaskData, relay: Relay, trained: Trained | None, evidence: Evidence
) -> tuple[dict[str, float] | None, dict[str, float] | None]:
    """Metrics of the trained model on validation and test. What training just measured is not measured again."""
    if not plan.training.do_eval:
        return None, None
    step = trained.steps if trained else 0
    after = None
    if trained is not None and data.validation is not None:
        after = trained.after or loop.evaluate(data.validation)
        evidence.take("after", loop, after)
        relay.metrics("after", step, plan.training.epochs, after)
        log.info("after: %s", in_words(after))
    test = None
    if data.test is not None:
        test = loop.evaluate(data.test)
        relay.metrics("test", step, plan.training.epochs, test)
        log.info("test: %s", in_words(test))
    return after, test


def finish(
    plan: Plan,
    parts: Parts,
    model: Any,
    site: Site,
    folder: RunFolder,
    result: RunResult,
    merge_proof: MergeProof,
    registry: Registry,
) -> RunResult:
    """Exports, then the model card and the report, then `result.json`, which makes the run finished."""
    artifacts, merge = export_run(plan, parts.task, parts.method, parts.quantizer, model, site, folder, merge_proof)
    sizes = {name: size_of(folder.path / path) for name, path in artifacts.items()}
    result = attrs.evolve(result, artifacts=artifacts, artifact_bytes=sizes, merge=merge)
    write_text(folder.card, model_card(plan, parts.task, result))
    artifacts["model card"] = folder.card.name
    if report_run(plan, registry, folder, result):
        artifacts["report"] = folder.report.name
    if plan.run.push_to_hub:
        from adapt_core.hf_models.hub import push

        artifacts["hub"] = push(plan.run.push_to_hub, folder)
    result = attrs.evolve(result, artifacts=artifacts)
    write_text(folder.result, result.to_json())
    return result


def in_words(metrics: dict[str, float]) -> str:
    """Metrics as a short line of text."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
