"""Jobs for both sides: the same model, data, seed and arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from benchmarks.packaged_models import minilm, smollm2
from benchmarks.results.models import small_transformer, two_minilms


def packaged_minilm(folder: Path, data: Path) -> str:
    """Return MiniLM as its package ships it; nothing is written."""
    return minilm()


def converted_smollm2(folder: Path, data: Path) -> str:
    """Return SmolLM2 in float32, converted from GGUF in advance so that neither side's time includes the conversion."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = smollm2()
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    model.hf_quantizer = None
    del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
    return str(folder)


def built(build: Callable[[Path, Path], None]) -> Callable[[Path, Path], str]:
    """Save a model of `benchmarks.results.models` into the folder."""

    def make(folder: Path, data: Path) -> str:
        build(folder, data)
        return str(folder)

    return make


@attrs.frozen(kw_only=True)
class Job:
    """One piece of work.

    Attributes:
        data: folder of the data sets' folder.
        plain: module of `benchmarks.plain`.
        model: (folder, data) -> MODEL_PATH; may save a model into the folder.
        lr, batch_size, max_train, max_eval: the same on both sides.
        keys: what else adapt's config holds.
        settings: what else the plain script is given.
        equal: whether both sides take the same rows at each step, so that every loss and metric is compared; adapt
            then multiplies as the script does (FAST_PRODUCTS: false).
    """

    data: str
    plain: str
    model: Callable[[Path, Path], str] = packaged_minilm
    lr: float
    batch_size: int = 16
    max_train: int
    max_eval: int
    keys: Mapping[str, Any]
    settings: Mapping[str, Any]
    equal: bool = True

    def config(self, model: str, data: Path, folder: Path) -> dict[str, Any]:
        """Return adapt's config."""
        return {
            "MODEL_PATH": model,
            "CUSTOM_DATASET_PATH": str(data),
            "OUTPUT_DIR": str(folder),
            "EPOCHS": 1,
            "LR": self.lr,
            "BATCH_SIZE": self.batch_size,
            "MAX_TRAIN_SAMPLES": self.max_train,
            "MAX_EVAL_SAMPLES": self.max_eval,
            "NUM_WORKERS": 0,
            "LOGGING_STEPS": 1,
            "SAVE_METHOD": "save_pretrained",
            "FAST_PRODUCTS": not self.equal,
            **self.keys,
        }

    def plain_settings(self) -> dict[str, Any]:
        """Return the plain script's keyword arguments."""
        return {
            "epochs": 1,
            "lr": self.lr,
            "batch_size": self.batch_size,
            "max_train": self.max_train,
            "max_eval": self.max_eval,
            "logging_steps": 1,
            **self.settings,
        }


def _by_default(job: Job) -> Job:
    """Return a job whose rows come in the order of each side's defaults: adapt's by length, the script's at random."""
    keys = {key: value for key, value in job.keys.items() if key != "GROUP_BY_LENGTH"}
    return attrs.evolve(job, keys=keys, equal=False)


def _tagging(subtask: str, data: str, column: str) -> Job:
    return Job(
        data=data,
        plain="token_classification",
        lr=3e-4,
        max_train=480,
        max_eval=160,
        keys={"TASK": "text_classification", "subtask": subtask, "GROUP_BY_LENGTH": False},
        settings={"column": column},
    )


_CLASSES = Job(
    data="ag_news",
    plain="text_classification",
    lr=1e-4,
    max_train=320,
    max_eval=96,
    keys={"TASK": "text_classification", "max_seq_length": 128, "GROUP_BY_LENGTH": False},
    settings={"max_length": 128},
)
_ENTITIES = _tagging("ner", "wnut17", "ner_tags")
_PARTS_OF_SPEECH = _tagging("pos", "conll2000", "pos_tags")


JOBS: dict[str, Job] = {
    "text_classification": _CLASSES,
    "text_classification, by default": _by_default(_CLASSES),
    "text_classification, last_layer": Job(
        data="ag_news",
        plain="text_classification",
        lr=1e-2,
        max_train=640,
        max_eval=96,
        keys={**_CLASSES.keys, "method": "last_layer", "FROZEN_DROPOUT": True},
        settings={"max_length": 128, "last_layer": True},
    ),
    "ner": _ENTITIES,
    "ner, by default": _by_default(_ENTITIES),
    "pos": _PARTS_OF_SPEECH,
    "pos, by default": _by_default(_PARTS_OF_SPEECH),
    "chunk": _tagging("chunk", "conll2000", "chunk_tags"),
    "question_answering": Job(
        data="xquad_en",
        plain="question_answering",
        lr=3e-4,
        max_train=96,
        max_eval=24,
        keys={"TASK": "question_answering", "max_length": 256},
        settings={"max_length": 256},
    ),
    # Both show three texts before and after, as adapt's report does: the same phases on both sides.
    "text_generation, packed": Job(
        data="tinyshakespeare",
        plain="text_generation",
        model=converted_smollm2,
        lr=5e-5,
        batch_size=1,
        max_train=40,
        max_eval=6,
        keys={"TASK": "text_generation", "method": "full"},
        settings={"packing": True, "max_length": 512, "shown": 3},
    ),
    "text_generation, padded": Job(
        data="tinyshakespeare",
        plain="text_generation",
        model=converted_smollm2,
        lr=5e-5,
        batch_size=4,
        max_train=40,
        max_eval=6,
        keys={"TASK": "text_generation", "method": "full", "packing": False},
        settings={"packing": False, "max_length": 512, "shown": 3},
    ),
    "summarization": Job(
        data="scitldr",
        plain="seq2seq",
        model=built(two_minilms),
        lr=3e-4,
        batch_size=8,
        max_train=96,
        max_eval=16,
        keys={
            "TASK": "summarization",
            "max_input_length": 192,
            "max_target_length": 48,
            "generation_max_length": 40,
        },
        settings={
            "metric": "rouge",
            "max_input_length": 192,
            "max_target_length": 48,
            "generation_max_length": 40,
        },
    ),
    "translation": Job(
        data="multi30k_en_de",
        plain="seq2seq",
        model=built(small_transformer),
        lr=1e-3,
        batch_size=32,
        max_train=1600,
        max_eval=64,
        keys={
            "TASK": "translation",
            "source_lang": "en",
            "target_lang": "de",
            "eval_metric": "sacrebleu",
            "max_input_length": 64,
            "max_target_length": 64,
        },
        settings={"source_lang": "en", "target_lang": "de", "max_input_length": 64, "max_target_length": 64},
    ),
}
JOBS |= {
    f"{name}, by default": _by_default(JOBS[name]) for name in ("question_answering", "summarization", "translation")
}
"""By name; `--job` takes it."""
