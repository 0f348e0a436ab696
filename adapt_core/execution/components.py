"""The implementations that a plan names, imported and constructed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.capabilities import SupportsHubUpload
from adapt_core.config.plan import Choice, Plan
from adapt_core.contracts import AttachContext, Launcher, LoadedModel, Method, Quantizer, Task
from adapt_core.errors import DefectError, InputError
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
            DefectError: an implementation cannot be imported.
        """
        return cls(
            task=task or make_task(plan),
            method=_implementation("method", plan.method)(plan.method.params),
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
        return self.method.attach(model, context), context

    def attach_context(self, plan: Plan, loaded: LoadedModel) -> AttachContext:
        """Return the context in which the method attaches to a base model."""
        wanted = plan.run.last_layer_tuning
        return AttachContext(
            head=self.task.head(loaded.model),
            new_parameters=loaded.new_parameters,
            train_head=self.task.trains_head_by_default(loaded) if wanted is None else wanted,
            quantized=self.quantizer is not None,
        )


def check_task(plan: Plan, task: Task) -> None:
    """Run the checks of a plan's task, and those of PUSH_TO_HUB. Needs no torch.

    Raises:
        InputError: data, model or hub repository cannot be used, or the task cannot upload its models.
    """
    task.check()
    repo_id = plan.run.push_to_hub
    if repo_id is None:
        return
    if not isinstance(task, SupportsHubUpload):
        raise InputError(
            f"PUSH_TO_HUB: {plan.task.name} of {plan.task.distribution} cannot upload its models."
            " Leave PUSH_TO_HUB out and upload model/ yourself."
        )
    task.check_hub_upload(repo_id)


def make_task(plan: Plan) -> Task:
    """Construct the task of a plan.

    Raises:
        DefectError: it cannot be imported; the message names its plugin.
    """
    task: Task = _implementation("task", plan.task)(plan)
    return task


def make_quantizer(choice: Choice) -> Quantizer:
    """Construct the quantizer of a plan.

    Raises:
        DefectError: it cannot be imported; the message names its plugin.
    """
    quantizer: Quantizer = _implementation("quantizer", choice)(choice.params)
    return quantizer


def make_launcher(plan: Plan) -> Launcher:
    """Construct the launcher of a plan.

    Raises:
        DefectError: it cannot be imported; the message names its plugin.
    """
    launcher: Launcher = _implementation("launcher", plan.launcher)(plan.launcher.params)
    return launcher


def _implementation(kind: str, choice: Choice) -> Any:
    try:
        return load_object(choice.implementation)
    except (ImportError, AttributeError) as error:
        raise DefectError(
            f"{kind} {choice.name!r} of {choice.distribution} {choice.version} cannot be imported: {error}."
        ) from error
