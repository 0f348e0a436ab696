"""What is checked of a plan's task before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import InputError
from adapt_core.execution.components import check_task

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
