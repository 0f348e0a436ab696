"""The implementations that a plan names, imported and constructed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.capabilities import SupportsFurtherSets, SupportsHubUpload, SupportsTestPrediction
from adapt_core.config.plan import Choice, Plan
from adapt_core.contracts import AttachContext, Exporter, Launcher, LoadedModel, Method, Quantizer, Task
from adapt_core.errors import DefectError, InputError
from adapt_core.execution.start import attach_or_go_on
from adapt_core.metrics.chosen import chosen_metrics
from adapt_core.plugin.import_strings import load_object

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen(kw_only=True)
class Components:
    """The task, method, quantizer and launcher of a plan. See `adapt_core.contracts`."""

    task: Task
    method: Method
    quantizer: Quantizer | None
    launcher: Launcher

    @classmethod
    def of(cls, plan: Plan, *, task: Task | None = None, launcher: Launcher | None = None) -> Components:
        """Construct the components of a plan.

        Args:
            plan: the plan.
            task, launcher: used in place of new ones where they exist already.

        Raises:
            DefectError: an implementation cannot be imported, or lacks a method of its contract.
        """
        return cls(
            task=task or make_task(plan),
            method=_construct("method", plan.method, Method, plan.method.params),
            quantizer=make_quantizer(plan.quantizer) if plan.quantizer else None,
            launcher=launcher or make_launcher(plan),
        )

    def attach(self, plan: Plan, loaded: LoadedModel) -> tuple[nn.Module, AttachContext]:
        """Attach the method to a loaded base model.

        Returns:
            the model to train, and the context that the method got.
        """
        context = self.attach_context(plan, loaded)
        model = loaded.model
        if self.quantizer is not None:
            model = self.quantizer.prepare(model, plan.training.gradient_checkpointing)
        return attach_or_go_on(plan, self.method, model, context), context

    def attach_context(self, plan: Plan, loaded: LoadedModel) -> AttachContext:
        """Return the context in which the method attaches to a base model."""
        wanted = plan.run.last_layer_tuning
        if loaded.new_rows and not getattr(self.method, "trains_new_rows", False):
            raise InputError(
                f"ADD_TOKENS: method {plan.method.name} would leave the new tokens as they start. Use LoRA, DoRA "
                "or full."
            )
        return AttachContext(
            head=self.task.head(loaded.model),
            new_parameters=loaded.new_parameters,
            train_head=self.task.trains_head_by_default(loaded) if wanted is None else wanted,
            quantized=self.quantizer is not None,
            lean_layers=plan.training.lean_layers and not (plan.training.bf16 or plan.training.fp16),
            new_rows=loaded.new_rows,
        )


def check_task(plan: Plan, task: Task) -> None:
    """Run the checks of a plan's task, and those of METRICS, EXPORT, ALSO_EVALUATE, DO_PREDICT and
    PUSH_TO_HUB. Needs no torch.

    Raises:
        InputError: data, model or hub repository cannot be used, or the task cannot predict its test split or upload
            its models.
    """
    chosen_metrics(plan)
    task.check()
    for chosen in plan.exporters:
        make_exporter(chosen).check(plan)
    if plan.run.do_predict:
        require_test_prediction(task, plan)
    if plan.data.also_evaluate:
        if not isinstance(task, SupportsFurtherSets):
            raise InputError(
                f"ALSO_EVALUATE: {plan.task.name} evaluates the run's own data alone. Leave the key out, and evaluate "
                "other data in a run with DO_TRAIN: false."
            )
        task.check_further_sets()
    repo_id = plan.run.push_to_hub
    if repo_id is None:
        return
    if not isinstance(task, SupportsHubUpload):
        raise InputError(
            f"PUSH_TO_HUB: {plan.task.name} of {plan.task.distribution} cannot upload its models."
            " Leave PUSH_TO_HUB out and upload model/ yourself."
        )
    task.check_hub_upload(repo_id)


def require_test_prediction(task: Task, plan: Plan) -> SupportsTestPrediction:
    """Return a task that predicts its test split.

    Raises:
        InputError: it does not.
    """
    if isinstance(task, SupportsTestPrediction):
        return task
    raise InputError(
        f"DO_PREDICT: {plan.task.name} does not predict its test split. Leave the key out, and give the files to "
        "adapt predict when the run has finished."
    )


def make_task(plan: Plan) -> Task:
    """Construct the task of a plan.

    Raises:
        DefectError: it cannot be imported, or lacks a method; the message names its plugin.
    """
    task: Task = _construct("task", plan.task, Task, plan)
    return task


def make_quantizer(choice: Choice) -> Quantizer:
    """Construct the quantizer of a plan.

    Raises:
        DefectError: it cannot be imported, or lacks a method; the message names its plugin.
    """
    quantizer: Quantizer = _construct("quantizer", choice, Quantizer, choice.params)
    return quantizer


def make_exporter(choice: Choice) -> Exporter:
    """Construct an exporter of a plan.

    Raises:
        DefectError: it cannot be imported, or lacks a method; the message names its plugin.
    """
    exporter: Exporter = _construct("exporter", choice, Exporter, choice.params)
    return exporter


def make_launcher(plan: Plan) -> Launcher:
    """Construct the launcher of a plan.

    Raises:
        DefectError: it cannot be imported, or lacks a method; the message names its plugin.
    """
    launcher: Launcher = _construct("launcher", plan.launcher, Launcher, plan.launcher.params)
    return launcher


def _construct(kind: str, choice: Choice, contract: type, argument: object) -> Any:
    try:
        implementation = load_object(choice.implementation)
    except (ImportError, AttributeError) as error:
        raise DefectError(
            f"{kind} {choice.name!r} of {choice.distribution} {choice.version} cannot be imported: {error}."
        ) from error
    if isinstance(implementation, type):  # before it is constructed: Python refuses to construct an abstract class
        require_answers(implementation, contract, kind, choice)
    made = implementation(argument)
    require_answers(made, contract, kind, choice)
    return made


def answers(contract: type) -> tuple[str, ...]:
    """Return the methods that an implementation of a contract must have."""
    return tuple(name for name, value in vars(contract).items() if callable(value) and not name.startswith("_"))


def require_answers(implementation: object, contract: type, kind: str, choice: Choice) -> None:
    """Check that an implementation has each method of its contract, none of them abstract.

    Args:
        implementation: a class or an object.
        contract: a protocol of `adapt_core.contracts`.
        kind: what it is, for the message.
        choice: the spec that it comes from.

    Raises:
        DefectError: methods are missing.
    """
    held = {name: getattr(implementation, name, None) for name in answers(contract)}
    missing = [
        n for n, method in held.items() if not callable(method) or getattr(method, "__isabstractmethod__", False)
    ]
    if missing:
        raise DefectError(
            f"the {kind} of {choice.name!r} ({choice.implementation}, {choice.distribution} {choice.version}) has no "
            f"{', '.join(missing)}: a {contract.__name__} must answer them, see docs/plugins.md."
        )
