"""One process of a run, from a plan to a result. `Run.execute` reads top to bottom, one method an arrow.

data -> model (quantized) -> method attached -> loop -> before -> train -> after -> export -> result
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from adapt_core.capabilities import SupportsHubUpload
from adapt_core.config.metrics import metrics_of
from adapt_core.config.plan import Plan
from adapt_core.contracts import AttachContext, Job, LoadedModel, Loop, ParallelStrategy, TaskData, TrainResult
from adapt_core.distributed.devices import peak_memory_bytes, refuse_impossible_precision
from adapt_core.distributed.processor import precision_warnings
from adapt_core.distributed.world import World, local_main_process_first
from adapt_core.errors import first_of
from adapt_core.execution.budgets import budget_of, cut_short, evaluates_before
from adapt_core.execution.components import Components, require_answers
from adapt_core.execution.evaluated_facts import hold_facts, keep_facts
from adapt_core.execution.export import export_run
from adapt_core.execution.exports import export_chosen, source_of
from adapt_core.execution.preparation import Attached, attach_prepared
from adapt_core.execution.sizes import size_of
from adapt_core.execution.start import before_training, require_known_classes
from adapt_core.execution.verdict import Verdict, examine_data
from adapt_core.nn.parameters import count_parameters
from adapt_core.nn.random_state import seed_everything, untouched_random_state
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.versions import versions
from adapt_core.report import report_run
from adapt_core.report.evaluation_record import EvaluationRecord
from adapt_core.report.model_card import model_card
from adapt_core.result import RunResult
from adapt_core.run_folder.claims import complete, place_text
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.budget import Budget
from adapt_core.runtime.cores import tell_loading_processes
from adapt_core.runtime.format import format_metrics
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.progress import ProgressReporter
from adapt_core.runtime.recorder import MetricRecorder
from adapt_core.trackers import start_trackers
from adapt_core.verification.merge import MergeCheck, merge_findings
from adapt_core.verification.training import TrainingCheck

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

_NAMED = 12


@attrs.frozen(kw_only=True)
class Run:
    """One process of a run.

    Attributes:
        plan: the plan.
        world: this process among those of the run.
        components: the plan's implementations.
        registry: the plugins, which observe the run.
        reporter: shows progress.
        decision: whether the run starts or continues.
        stop: the loop checks it after each step. By default nothing asks this process to stop.
        folder: the run folder.
        recorder: writes metrics.
        budget: the time that the run may take.
    """

    plan: Plan
    world: World
    components: Components
    registry: Registry
    reporter: ProgressReporter
    decision: ResumeDecision
    stop: StopRequest = attrs.field(factory=StopRequest)
    folder: RunFolder = attrs.field(init=False)
    recorder: MetricRecorder = attrs.field(init=False)
    budget: Budget = attrs.field(default=attrs.Factory(budget_of, takes_self=True), init=False)

    @folder.default
    def _folder_of_the_plan(self) -> RunFolder:
        return RunFolder(self.plan.output_dir)

    @recorder.default
    def _recorder_of_the_folder(self) -> MetricRecorder:
        return MetricRecorder(self.folder, self.reporter, self.registry.manager, is_main=self.world.is_main)

    def execute(self) -> RunResult:
        """Execute the plan and return its result, which is the same on every rank except for memory."""
        refuse_impossible_precision(self.plan, self.world.device)
        launched = self.world.options.get("bf16")
        for warning in precision_warnings(self.plan, self.world.device, launched_bf16=launched):
            log.warning(warning)
        with local_main_process_first(self.world):
            data = self.load_data()
        self.recorder.warn(data.findings)
        loaded = self.load_model(data)
        verdict = self.examine(data, loaded)
        attached = attach_prepared(self.plan, self.components, loaded, data)
        model, context = attached.model, attached.context
        training_check = TrainingCheck(model, self.components.method.trainable_groups(model), self.plan.method.name)
        strategy = self.components.launcher.parallel_strategy(self.world)
        require_answers(strategy, ParallelStrategy, "parallel strategy", self.plan.launcher)
        loop = self.make_loop(data, attached, training_check, strategy)
        merge_check = MergeCheck(model, rounded=self.is_rounded(loaded, context))
        self.components.launcher.verify(loop, self.world)
        self.start()
        record = self.evaluation_record(data)
        before = self.measure_before(loop, data, record)
        trained = self.train(loop)
        self.recorder.warn(cut_short(self, trained.steps if trained else 0))
        after, test = self.measure_after(loop, data, record, trained)
        self.budget.trained()
        self.recorder.warn(verdict.not_beaten(after, metrics_of(self.plan, self.registry)))
        counts = count_parameters(model)
        result = RunResult(
            status="finished",
            task=self.plan.task.name,
            method=self.plan.method.name,
            quantization=self.plan.quantizer.name if self.plan.quantizer else None,
            launcher=self.plan.launcher.name,
            total_parameters=counts.total,
            trainable_parameters=counts.trainable,
            metrics={"before": before, "after": after, "test": test},
            train_seconds=trained.seconds if trained else 0.0,
            samples_per_second=trained.samples_per_second if trained else 0.0,
            peak_memory_bytes=peak_memory_bytes(self.world.device),
            steps=trained.steps if trained else 0,
            planned_steps=self.budget.planned_steps(trained.steps if trained else 0),
            artifacts={},
            soup=trained.soup if trained else None,
            training_check=training_check.verdict(),
            data=data.stats,
            verdict=verdict.to_data(),
            **record.results(),
            versions=versions(self.registry),
            seed=self.plan.training.seed,
            config_sha256=self.plan.config_sha256,
            output_dir=str(self.folder.path),
            warnings=tuple(self.recorder.warnings),
        )
        trained_model = strategy.gather_model(loop.unwrap_model())
        if self.world.is_main:
            result = self.finish(trained_model, data, result, merge_check, loaded.dtype)
        self.recorder.finished(result)
        if self.world.is_main:
            complete(self.folder.path)
        self.budget.finished()
        return result

    def load_data(self) -> TaskData:
        """Load the splits, validated and preprocessed."""
        seed_everything(self.plan.training.seed)
        data = self.components.task.load_data()
        require_known_classes(self.plan, data)
        return data

    def load_model(self, data: TaskData) -> LoadedModel:
        """Load the base model. The seed is set right before, so that a new head starts as in a plain script."""
        seed_everything(self.plan.training.seed)
        loaded = self.components.task.load_model(data, self.components.quantizer, self.world)
        log.info("model: %s, %s weights", type(loaded.model).__name__, loaded.dtype)
        if loaded.new_parameters:
            names = sorted(loaded.new_parameters)
            every = {name for name, _ in loaded.model.named_parameters()} <= set(names)
            log.info("new parameters (not in the checkpoint): %s", "all of them" if every else first_of(names, _NAMED))
        return loaded

    def examine(self, data: TaskData, loaded: LoadedModel) -> Verdict:
        """Return the verdict of the checks of the data on rank 0, none elsewhere."""
        if not self.world.is_main:
            return Verdict()
        verdict = examine_data(self.plan, self.registry, self.components.task, data, lambda: loaded.model)
        verdict.say()
        self.recorder.warn(verdict.warnings)
        return verdict

    def make_loop(
        self, data: TaskData, attached: Attached, training_check: TrainingCheck, strategy: ParallelStrategy
    ) -> Loop:
        """Build the task's training loop."""
        if self.world.is_main:
            tell_loading_processes(self.plan.training.num_workers)
        loop = self.components.task.make_loop(
            Job(
                plan=self.plan,
                world=self.world,
                data=data,
                model=attached.model,
                rate_factors=attached.rate_factors,
                folder=self.folder,
                recorder=self.recorder,
                training_check=training_check,
                stop=self.stop,
                budget=self.budget,
                strategy=strategy,
            )
        )
        require_answers(loop, Loop, "loop", self.plan.task)
        return loop

    def is_rounded(self, loaded: LoadedModel, context: AttachContext) -> bool:
        """Return whether any weight of the model or any activation has less than float32's precision."""
        return context.quantized or loaded.dtype != "float32" or self.plan.training.bf16

    def start(self) -> None:
        """Take over the run folder and start trackers and observers."""
        if self.world.is_main:
            self.decision.begin(self.plan)
            start_trackers(self.plan, self.registry)
        self.recorder.started(self.plan)

    def evaluation_record(self, data: TaskData) -> EvaluationRecord:
        """Return the record of this run's evaluations."""
        return EvaluationRecord(
            self.components.task,
            data,
            self.folder,
            plan=self.plan,
            directions=metrics_of(self.plan, self.registry),
            is_main=self.world.is_main,
        )

    def measure_before(self, loop: Loop, data: TaskData, record: EvaluationRecord) -> dict[str, float] | None:
        """Evaluate the model before training. Random state is kept; a resumed run reads the first run's."""
        if data.validation is None or not evaluates_before(self.plan.training):
            return None
        if self.decision.checkpoint is not None and self.decision.before is not None:
            return self.decision.before
        with untouched_random_state(), before_training(self.plan, self.components.method, loop.unwrap_model()):
            before = self.budget.evaluation(lambda: loop.evaluate(data.validation))
            if not self.plan.training.do_train:
                keep_facts(self.components.task, loop, data, before)
            findings = record.record("before", loop, before)
        self.recorder.metrics("before", 0, 0.0, before, record.intervals_of("before"))
        if not self.plan.training.do_train:  # a new head's predictions say nothing of a model that will be trained
            self.recorder.warn(findings)
        log.info("before: %s", format_metrics(before))
        return before

    def train(self, loop: Loop) -> TrainResult | None:
        """Train. Return None where DO_TRAIN is off."""
        return loop.train(self.decision.checkpoint) if self.plan.training.do_train else None

    def measure_after(
        self, loop: Loop, data: TaskData, record: EvaluationRecord, trained: TrainResult | None
    ) -> tuple[dict[str, float] | None, dict[str, float] | None]:
        """Evaluate the trained model on validation and test. Metrics that training just measured are reused."""
        training = self.plan.training
        if not training.do_eval:
            return None, None
        step = trained.steps if trained else 0
        after = None
        if trained is not None and data.validation is not None:
            after = trained.after or loop.evaluate(data.validation)
            keep_facts(self.components.task, loop, data, after)
            findings = record.record("after", loop, after)
            self.recorder.metrics("after", step, training.epochs, after, record.intervals_of("after"))
            self.recorder.warn(findings)
            log.info("after: %s", format_metrics(after))
        test = None
        if data.test is not None:
            test = loop.evaluate(data.test)
            findings = record.examine("test", loop, test)
            self.recorder.metrics("test", step, training.epochs, test, record.intervals_of("test"))
            self.recorder.warn(findings)
            log.info("test: %s", format_metrics(test))
        return after, test

    def finish(
        self, model: nn.Module, data: TaskData, result: RunResult, merge_check: MergeCheck, dtype: str
    ) -> RunResult:
        """Export, write the model card and the report, then `result.json`, which marks the run as finished."""
        folder, task = self.folder, self.components.task
        hold_facts(task, model, data)
        saved = export_run(self.plan, self.components, data, model, folder, merge_check)
        exports = export_chosen(source_of(self.plan, task, folder, saved.load, merge_check.batch), folder)
        artifacts = {**saved.artifacts, **exports.artifacts}
        sizes = {name: size_of(folder.path / path) for name, path in artifacts.items()}
        self.recorder.warn([*merge_findings(saved.merge, dtype), *exports.failures])
        warnings = tuple(self.recorder.warnings)
        result = attrs.evolve(result, artifacts=artifacts, artifact_bytes=sizes, merge=saved.merge, warnings=warnings)
        result = attrs.evolve(result, exports=exports.records)
        spec = self.registry.task_spec(self.plan.task.name)
        place_text(folder.path, folder.card.name, model_card(self.plan, spec, task, result, exports.usage))
        artifacts["model card"] = folder.card.name
        if report_run(self.plan, self.registry, folder, result):
            artifacts["report"] = folder.report.name
        if self.plan.run.push_to_hub and isinstance(task, SupportsHubUpload):
            artifacts["hub"] = task.push_to_hub(self.plan.run.push_to_hub, folder)
        place_text(folder.path, folder.result.name, result.to_json())
        return result
