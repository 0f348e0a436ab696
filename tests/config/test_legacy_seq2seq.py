"""The former tool's summarization and translation configs, on the plugins that are really installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.plugin.registry import Registry


def resolved(path: Path, *overrides: str) -> Plan:
    return resolve(RunConfig.read(path, overrides), Registry.discover())


@pytest.fixture(scope="module", autouse=True)
def _language_tasks() -> None:
    if importlib.util.find_spec("adapt_nlp") is None:
        pytest.skip("needs adapt-nlp")


EMPTY_FIELDS = ("MODEL_PATH=./my-model", "CUSTOM_DATASET_PATH=./my-data")


def test_summarization_yml_resolves_once_its_empty_fields_are_filled(shared: Path) -> None:
    plan = resolved(shared / "legacy_configs" / "summarization.yml", *EMPTY_FIELDS)
    params: Any = plan.task.params
    assert (plan.task.name, plan.method.name, plan.quantizer) == ("summarization", "full", None)
    assert (params.max_input_length, params.max_target_length, params.generation_max_length) == (512, 128, 128)
    assert (params.eval_metric, params.predict_with_generate) == ("rouge", True)
    assert (plan.data.input_column, plan.data.target_column, plan.data.max_train_samples) == (
        "document",
        "summary",
        1000,
    )
    assert (plan.training.seed, plan.training.gradient_checkpointing) == (56, True)


def test_translation_yml_resolves_once_its_empty_fields_are_filled(shared: Path) -> None:
    plan = resolved(shared / "legacy_configs" / "translation.yml", *EMPTY_FIELDS)
    params: Any = plan.task.params
    assert (plan.task.name, plan.method.name) == ("translation", "full")
    assert (params.source_lang, params.target_lang, params.prefix) == ("en", "ro", None)
    assert (params.max_input_length, params.eval_metric) == (128, "rouge")
    given = resolved(
        shared / "legacy_configs" / "translation.yml",
        *EMPTY_FIELDS,
        "PREFIX='translate English to German: '",
        "target_lang=de",
    )
    assert (given.task.params.prefix, given.task.params.target_lang) == ("translate English to German: ", "de")


def test_doc_summarization_yaml_resolves_as_it_is(shared: Path) -> None:
    if importlib.util.find_spec("adapt_peft_ssf") is None:
        pytest.skip("needs adapt-peft-ssf")
    plan = resolved(shared / "legacy_configs" / "doc_summarization.yaml")
    assert (plan.task.name, plan.method.name) == ("summarization", "LoRA")
    assert plan.quantizer is not None
    assert plan.quantizer.name == "bnb_4bit"
    assert (plan.model.model_path, plan.data.dataset) == ("google-t5/t5-large", "xsum")
    assert plan.run.last_layer_tuning is True
    params: Any = plan.method.params
    assert (params.r, params.alpha, params.dropout) == (16, 8, 0.1)
