"""Each language task on real text."""

from __future__ import annotations

from typing import Any

from benchmarks.results import baselines, models
from benchmarks.results.cases.case import MINILM, SMOLLM2, Case

LANGUAGE = "Language tasks"

_GENERATION: dict[str, Any] = {
    "TASK": "text_generation",
    "MODEL_PATH": SMOLLM2,
    "method": "LoRA",
    "LR": 5e-4,
    "BATCH_SIZE": 2,
    "MAX_TRAIN_SAMPLES": 120,
    "MAX_EVAL_SAMPLES": 30,
}

LANGUAGE_CASES = [
    Case(
        name="text_generation",
        section=LANGUAGE,
        data="tinyshakespeare",
        keys={**_GENERATION, "EPOCHS": 2},
        metric="token_accuracy",
        baseline=baselines.most_frequent_token("text"),
    ),
    Case(
        name="text_generation, instructions",
        section=LANGUAGE,
        data="alpaca_demo",
        keys={**_GENERATION, "EPOCHS": 1},
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
            # So few questions teach more readily that there is no answer than which it is: scores of spans get a lead.
            "null_score_diff_threshold": 6.0,
            "MODEL_PATH": MINILM,
            "EPOCHS": 6,
            "LR": 4e-4,
            "max_length": 256,
        },
        metric="answerable_f1",
        baseline=baselines.always_unanswerable,
    ),
]
