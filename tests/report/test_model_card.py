"""The model card's metadata, as the hub reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from ruamel.yaml import YAML

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.report.model_card import metadata

from .. import fakes
from .test_page import result


def data(tmp_path: Path, **keys: Any) -> dict[str, Any]:
    config = {"TASK": "question_answering", "MODEL_PATH": "org/base", "DATASET": "squad", "method": "LoRA", **keys}
    registry = fakes.registry_with_all()
    plan = resolve(RunConfig.read({k: v for k, v in config.items() if v is not None}), registry)
    made = attrs.evolve(result(tmp_path), artifacts={"adapter": "adapter", "model": "model"})
    read: dict[str, Any] = YAML(typ="safe", pure=True).load(metadata(plan, registry.task_spec(plan.task.name), made))
    return read


def test_it_names_base_data_pipeline_and_results(tmp_path: Path) -> None:
    found = data(tmp_path, MODEL_PATH="org/base@main")
    assert found["base_model"] == "org/base"
    assert found["datasets"] == ["squad"]
    assert found["pipeline_tag"] == "question-answering"
    assert found["library_name"] == "transformers"
    assert found["tags"] == ["adapt", "question_answering", "LoRA"]
    entry = found["model-index"][0]["results"][0]
    assert entry["dataset"] == {"name": "squad", "type": "squad", "split": "validation"}
    assert {metric["type"]: metric["value"] for metric in entry["metrics"]} == {"loss": 0.5, "accuracy": 0.2}


def test_what_is_local_is_not_claimed_to_be_on_the_hub(tmp_path: Path) -> None:
    found = data(tmp_path, MODEL_PATH=str(tmp_path), DATASET=None, CUSTOM_DATASET_PATH="my/rows")
    assert "base_model" not in found
    assert "datasets" not in found
    assert "datasets" not in data(tmp_path, DATASET="json")


def test_a_pipeline_may_depend_on_the_task_s_params_and_may_be_absent(tmp_path: Path) -> None:
    assert data(tmp_path, TASK="text_classification")["pipeline_tag"] == "text-classification"
    assert data(tmp_path, TASK="text_classification", subtask="ner")["pipeline_tag"] == "token-classification"
    assert not data(tmp_path, TASK="words").keys() & {"pipeline_tag", "library_name", "model-index"}


def test_the_hub_s_own_library_reads_it(tmp_path: Path) -> None:
    cards = pytest.importorskip("huggingface_hub.repocard_data")
    read = cards.ModelCardData(**data(tmp_path), ignore_metadata_errors=False)
    assert read.model_name == "question_answering with LoRA"
    assert {item.metric_type for item in read.eval_results} == {"loss", "accuracy"}
