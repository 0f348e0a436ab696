"""Every config file of the previous tool resolves with the real plugins, once its data and model are set."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry

TASKS = {
    "doc_summarization.yaml": "summarization",
    "image_classification.yml": "image_classification",
    "question_answering.yml": "question_answering",
    "summarization.yml": "summarization",
    "text_classification.yml": "text_classification",
    "text_generation.yml": "text_generation",
    "translation.yml": "translation",
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    """What is installed; the tests skip where one of the tasks or LoRA is not."""
    found = Registry.discover()
    missing = [name for name in {*TASKS.values()} if found.tasks.find(name) is None]
    if missing or found.methods.find("LoRA") is None:
        pytest.skip("needs adapt-nlp, adapt-vision-mm and adapt-peft-ssf installed")
    return found


@pytest.mark.parametrize("name", TASKS)
def test_it_resolves_once_its_data_and_model_are_set(shared: Path, registry: Registry, name: str) -> None:
    sets = ["DATASET=", "CUSTOM_DATASET_PATH=./data", "MODEL_PATH=./model"]
    plan = resolve(RunConfig.read(shared / "legacy_configs" / name, sets), registry)
    assert plan.task.name == TASKS[name]
    assert plan.method.name == ("LoRA" if name == "doc_summarization.yaml" else "full")
    assert (plan.quantizer is not None) == (name == "doc_summarization.yaml")
    assert not any("unknown" in remark for remark in plan.remarks)
    assert plan_from_json(plan_to_json(plan), registry) == plan


def test_no_file_of_the_tool_before_is_left_out(shared: Path) -> None:
    assert {path.name for path in (shared / "legacy_configs").iterdir()} == set(TASKS)
