"""The model card's metadata, as the hub reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry
from adapt_core.report.model_card import metadata, model_card
from adapt_core.runtime.plain_text import in_one_line

from .. import fakes
from .test_page import result


class SavesNothing:
    """A task of which a run saved no model, so that the card asks for no lines."""


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


def test_a_library_may_depend_on_the_plan_and_has_hub_ids_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("adapt_vision_mm", reason="needs adapt-vision-mm")
    for model, library, base in (
        ("resnet10t", "timm", None),
        ("timm/resnet10t.c3_in1k", "timm", "timm/resnet10t.c3_in1k"),
        ("google/vit-base-patch16-224", "transformers", "google/vit-base-patch16-224"),
    ):
        found = _classifier(tmp_path, model)
        assert (found["library_name"], found.get("base_model")) == (library, base)
    assert data(tmp_path, MODEL_PATH="gpt2")["base_model"] == "gpt2"


def _classifier(folder: Path, model: str) -> dict[str, Any]:
    registry = Registry.discover()
    keys = {"TASK": "image_classification", "MODEL_PATH": model, "CUSTOM_DATASET_PATH": str(folder), "method": "full"}
    plan = resolve(RunConfig.read(keys), registry)
    made = attrs.evolve(result(folder), artifacts={"model": "model"})
    text = metadata(plan, registry.task_spec("image_classification"), made)
    read: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return read


def test_what_is_local_is_not_claimed_to_be_on_the_hub(tmp_path: Path) -> None:
    found = data(tmp_path, MODEL_PATH=str(tmp_path), DATASET=None, CUSTOM_DATASET_PATH="my/rows")
    assert "base_model" not in found
    assert "datasets" not in found
    assert "datasets" not in data(tmp_path, DATASET="json")


def test_a_pipeline_may_depend_on_the_task_s_params_and_may_be_absent(tmp_path: Path) -> None:
    assert data(tmp_path, TASK="text_classification")["pipeline_tag"] == "text-classification"
    assert data(tmp_path, TASK="text_classification", subtask="ner")["pipeline_tag"] == "token-classification"
    assert not data(tmp_path, TASK="words").keys() & {"pipeline_tag", "library_name", "model-index"}


NAMES = ["x: [y] #z", "- a", "'\"", "a\n---\nb: c", "[red]\x1b[31m", "\u202egpj", "<b>x", "yes", "*a", "é大"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_s_name_stays_one_text_in_head_and_body(tmp_path: Path, name: str) -> None:
    keys = {"MODEL_PATH": f"/models/{name}", "DATASET": None, "CUSTOM_DATASET_PATH": f"/data/{name}"}
    shown = in_one_line(name)
    entry = data(tmp_path, **keys)["model-index"][0]["results"][0]
    assert entry["dataset"] == {"name": shown, "type": shown, "split": "validation"}
    registry = fakes.registry_with_all()
    plan = resolve(RunConfig.read({"TASK": "question_answering", "method": "LoRA", **keys, "DATASET": ""}), registry)
    made = result(tmp_path, metrics={"before": None, "after": {"f1 | <i>[x](y)": 0.5}, "test": None})
    card = model_card(plan, registry.task_spec(plan.task.name), SavesNothing(), made)  # type: ignore[arg-type]
    parts = card.split("\n---\n")
    assert len(parts) == 2
    body = MarkdownIt("commonmark", {"html": True}).enable("table").parse(parts[1])
    spans = [child for token in body for child in token.children or ()]
    codes = [child.content for child in spans if child.type == "code_inline"]
    assert codes[:2] == [f"/models/{shown}", f"/data/{shown}"]
    assert not {"html_inline", "link_open", "image"} & {child.type for child in spans}
    assert "f1 | <i>[x](y)" in {child.content for child in spans} | {
        "".join(child.content for child in token.children or ()) for token in body
    }
    assert not set("\x1b\u202e") & set(card)


def test_the_hub_s_own_library_reads_it(tmp_path: Path) -> None:
    cards = pytest.importorskip("huggingface_hub.repocard_data")
    read = cards.ModelCardData(**data(tmp_path), ignore_metadata_errors=False)
    assert read.model_name == "question_answering with LoRA"
    assert {item.metric_type for item in read.eval_results} == {"loss", "accuracy"}
