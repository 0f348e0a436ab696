"""The other language tasks pass core's contract too: a run, a check and a fresh process for each, so they are slow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapt_core.testing import TaskContract
from adapt_core.testing.task import documented_keys

from .seq2seq_models import english, translations, write

pytestmark = pytest.mark.slow

PAGES = Path(__file__).parents[3] / "docs" / "tasks"

Config = Mapping[str, Any]
SMALL = {"EPOCHS": 1, "BATCH_SIZE": 4, "LR": 0.01, "NUM_WORKERS": 0}
SHORT = {"max_input_length": 32, "max_target_length": 8, "generation_max_length": 8}


class TestTags(TaskContract):
    prediction_keys = documented_keys(PAGES / "text_classification.md", table=1)

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
        rows = [{"tokens": ["call", name], "ner_tags": ["O", "B-PER"]} for name in "abcdefghijklmnop"]
        data = write(tmp_path_factory.mktemp("words"), train=rows, validation=rows[:4])
        task = {"TASK": "text_classification", "subtask": "ner", "MODEL_PATH": str(tiny_encoder)}
        return {**SMALL, **task, "CUSTOM_DATASET_PATH": str(data)}

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        return ["call me today", "a b"]


class TestQuestionAnswering(TaskContract):
    prediction_keys = documented_keys(PAGES / "question_answering.md")

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
        told = {"context": "Ada lived in London.", "answers": {"text": ["London"], "answer_start": [13]}}
        rows = [{**told, "question": f"Where did {name} live?"} for name in ("Ada", "she")]
        data = write(tmp_path_factory.mktemp("questions"), train=rows * 8, validation=rows)
        task = {"TASK": "question_answering", "MODEL_PATH": str(tiny_encoder), "max_length": 64, "doc_stride": 16}
        return {**SMALL, **task, "CUSTOM_DATASET_PATH": str(data)}

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        return [json.dumps({"context": "Ada lived in London.", "question": "Where did Ada live?"})]


class TestSummarization(TaskContract):
    prediction_keys = documented_keys(PAGES / "summarization.md")

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_bart: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
        rows = [{"document": english(n), "summary": " ".join(english(n).split()[:2])} for n in range(16)]
        data = write(tmp_path_factory.mktemp("documents"), train=rows, validation=rows[:4])
        task = {"TASK": "summarization", "MODEL_PATH": str(tiny_bart), "CUSTOM_DATASET_PATH": str(data)}
        return {**SMALL, **SHORT, **task}

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        return [english(3), english(4)]


class TestTranslation(TaskContract):
    prediction_keys = documented_keys(PAGES / "translation.md")

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_t5: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
        data = write(tmp_path_factory.mktemp("pairs"), train=translations(16), validation=translations(4, 500))
        return {**SMALL, **SHORT, "TASK": "translation", "MODEL_PATH": str(tiny_t5), "CUSTOM_DATASET_PATH": str(data)}

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        return [english(3), english(4)]


class TestTextGeneration(TaskContract):
    prediction_keys = documented_keys(PAGES / "text_generation.md")

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, tiny_llama: Path, inbox: Path) -> Config:
        task = {"TASK": "text_generation", "MODEL_PATH": str(tiny_llama), "CUSTOM_DATASET_PATH": str(inbox)}
        return {**SMALL, **task, "MAX_TRAIN_SAMPLES": 64, "max_seq_length": 64, "max_new_tokens": 8}

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls) -> Sequence[str]:
        return ["where is", "my parcel"]
