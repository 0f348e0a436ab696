"""What is checked of a plan's task before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import DefectError, InputError
from adapt_core.execution.components import Components, check_task, make_task
from adapt_core.hf import LanguageTask
from adapt_core.plugin.specs import MethodSpec, Spec

from .. import fakes


class Task:
    """A task that records which of its checks ran."""

    def __init__(self) -> None:
        self.checks: list[str] = []

    def check(self) -> None:
        self.checks.append("task")


class UploadingTask(Task):
    def check_hub_upload(self, repo_id: str) -> None:
        self.checks.append(repo_id)

    def push_to_hub(self, repo_id: str, folder: Any) -> str:
        raise NotImplementedError


def plan(**keys: Any) -> Plan:
    config = {"TASK": "words", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", **keys}
    return resolve(RunConfig.read(config), fakes.registry_with_all())


def test_the_repository_is_checked_only_where_push_to_hub_names_one() -> None:
    task: Any = UploadingTask()
    check_task(plan(), task)
    assert task.checks == ["task"]
    check_task(plan(PUSH_TO_HUB="me/words"), task)
    assert task.checks == ["task", "task", "me/words"]


def test_push_to_hub_is_refused_where_the_task_cannot_upload() -> None:
    task: Any = Task()
    check_task(plan(), task)
    with pytest.raises(InputError, match=r"PUSH_TO_HUB: words of adapt-tests cannot upload its models\."):
        check_task(plan(PUSH_TO_HUB="me/words"), task)


class Unfinished:
    """A method that a plugin's author has begun."""

    def __init__(self, params: Any) -> None:
        self.params = params

    def attach(self, model: Any, context: Any) -> Any:
        return model

    def trainable_groups(self, model: Any) -> Any:
        return {}

    save_adapter = None


class UnfinishedTask(LanguageTask):
    """A task that lacks what its base leaves to it."""


def unfinished(spec: Spec, hook: str, **keys: Any) -> Plan:
    everything = fakes.ALL_HOOKS | {hook: [*fakes.ALL_HOOKS[hook], spec]}
    config = {"TASK": "words", "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": "d", **keys}
    return resolve(RunConfig.read(config), fakes.registry(**everything))


def test_missing_methods_are_found_when_an_implementation_is_chosen() -> None:
    spec = MethodSpec(name="Begun", summary="", implementation=f"{__name__}:Unfinished")
    task: Any = Task()
    launcher: Any = Task()
    with pytest.raises(DefectError) as raised:
        Components.of(unfinished(spec, "adapt_methods", method="Begun"), task=task, launcher=launcher)
    assert str(raised.value).startswith("the method of 'Begun'")
    assert "adapt-tests 2.0) has no disable_adapter, save_adapter, load_adapter, merge: a Method must" in str(
        raised.value
    )


def test_what_a_base_class_leaves_open_is_missing_too() -> None:
    spec = fakes.task("begun", implementation=f"{__name__}:UnfinishedTask")
    with pytest.raises(
        DefectError, match="has no load_data, load_model, make_loop, loading_lines, predict: a Task must"
    ):
        make_task(unfinished(spec, "adapt_tasks", TASK="begun"))
