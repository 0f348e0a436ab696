"""The twelve jobs of adapt, each with a small model with random weights and a slice of real data: seconds per run.

The models are small, not toys of another kind: each is the architecture that the task is used with. `matrix`
and `stress` run them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from adapt_core.testing.small_models import byte_pairs, vit


@attrs.frozen(kw_only=True)
class SmallJob:
    """One job.

    Attributes:
        name: unique.
        data: folder of the data sets' folder.
        keys: the config, without model, data and OUTPUT_DIR.
        model: (folder, data folder) -> MODEL_PATH, made there where it is not a name.
    """

    name: str
    data: str
    keys: Mapping[str, Any]
    model: Callable[[Path, Path], str]

    def config(self, data_sets: Path, models: Path) -> dict[str, Any]:
        """Return the config without OUTPUT_DIR; build the model if it does not exist yet."""
        data = data_sets / self.data
        return {
            **_COMMON,
            **self.keys,
            "CUSTOM_DATASET_PATH": str(data.absolute()),
            "MODEL_PATH": self.model(models / self.name, data),
        }


_COMMON: dict[str, Any] = {
    "EPOCHS": 2,
    "BATCH_SIZE": 4,
    "MAX_TRAIN_SAMPLES": 16,
    "MAX_EVAL_SAMPLES": 8,
    "LR": 2e-3,
    "LOGGING_STEPS": 1,
    "NUM_WORKERS": 0,
    "METRIC_FOR_BEST": "loss",
}


def _texts(data: Path) -> list[str]:
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            for item in value.values():
                collect(item)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            found.append(" ".join(value))

    [file] = data.glob("train.*")
    for line in file.read_text(encoding="utf-8").splitlines()[:300]:
        collect(json.loads(line) if file.suffix == ".jsonl" else line)
    return found


def _tokenizer(folder: Path, data: Path) -> Any:
    """Return a byte-level tokenizer trained on the job's texts, so that no character is unknown."""
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "</s>", "<s>", "<unk>"]
    backend = byte_pairs(_texts(data), specials, single="<s> $A </s>", pair="<s> $A </s> $B </s>")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        eos_token="</s>",
        bos_token="<s>",
        cls_token="<s>",
        sep_token="</s>",
        unk_token="<unk>",
        model_max_length=128,
        add_prefix_space=True,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _saved(folder: Path, data: Path, build: Callable[[int], Any]) -> str:
    if not (folder / "config.json").is_file():
        import torch

        words = len(_tokenizer(folder, data))
        torch.manual_seed(0)
        build(words).save_pretrained(folder)
    return str(folder.absolute())


def encoder(folder: Path, data: Path, width: int = 32) -> str:
    """Save a RoBERTa of two layers into the folder, with a tokenizer trained on the data's texts."""
    from transformers import RobertaConfig, RobertaModel

    return _saved(
        folder,
        data,
        lambda words: RobertaModel(
            RobertaConfig(
                vocab_size=words,
                hidden_size=width,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=2 * width,
                max_position_embeddings=160,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=1,
            ),
            add_pooling_layer=False,
        ),
    )


def decoder(folder: Path, data: Path, width: int = 32) -> str:
    """Save a Llama of two layers into the folder, with a tokenizer trained on the data's texts."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return _saved(
        folder,
        data,
        lambda words: LlamaForCausalLM(
            LlamaConfig(
                vocab_size=words,
                hidden_size=width,
                intermediate_size=2 * width,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=256,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=1,
            )
        ),
    )


def _encoder_decoder(folder: Path, data: Path) -> str:
    from transformers import T5Config, T5ForConditionalGeneration

    return _saved(
        folder,
        data,
        lambda words: T5ForConditionalGeneration(
            T5Config(
                vocab_size=words,
                d_model=32,
                d_kv=16,
                d_ff=64,
                num_layers=2,
                num_heads=2,
                pad_token_id=0,
                eos_token_id=1,
                decoder_start_token_id=0,
            )
        ),
    )


def _vit(folder: Path, data: Path) -> str:
    if not (folder / "config.json").is_file():
        vit(folder)
    return str(folder.absolute())


def _named(name: str) -> Callable[[Path, Path], str]:
    return lambda folder, data: name


SMALL_RTMDET = {
    "model.backbone.widen_factor": 0.125,
    "model.neck.in_channels": [32, 64, 128],
    "model.neck.out_channels": 32,
    "model.bbox_head.in_channels": 32,
    "model.bbox_head.feat_channels": 32,
}
_SEQ2SEQ = {"max_input_length": 64, "max_target_length": 32, "generation_max_length": 8}

JOBS = [
    SmallJob(
        name="text_generation",
        data="tinyshakespeare",
        keys={"TASK": "text_generation", "max_seq_length": 64},
        model=decoder,
    ),
    SmallJob(name="text_classification", data="sst5", keys={"TASK": "text_classification"}, model=encoder),
    SmallJob(name="ner", data="wnut17", keys={"TASK": "text_classification", "subtask": "ner"}, model=encoder),
    SmallJob(name="pos", data="conll2000", keys={"TASK": "text_classification", "subtask": "pos"}, model=encoder),
    SmallJob(name="chunk", data="conll2000", keys={"TASK": "text_classification", "subtask": "chunk"}, model=encoder),
    SmallJob(name="summarization", data="scitldr", keys={"TASK": "summarization", **_SEQ2SEQ}, model=_encoder_decoder),
    SmallJob(
        name="translation",
        data="multi30k_en_de",
        keys={"TASK": "translation", "source_lang": "en", "target_lang": "de", **_SEQ2SEQ},
        model=_encoder_decoder,
    ),
    SmallJob(
        name="question_answering",
        data="xquad_en",
        keys={"TASK": "question_answering", "max_length": 128, "doc_stride": 16},
        model=encoder,
    ),
    SmallJob(
        name="image_classification",
        data="hymenoptera",
        keys={"TASK": "image_classification", "model_type": "vit"},
        model=_vit,
    ),
    SmallJob(
        name="object_detection",
        data="bccd_coco",
        keys={
            "TASK": "object_detection",
            "TRAIN_DIR": "train",
            "VAL_DIR": "val",
            "train_ann_file": "annotations/instances_train.json",
            "val_ann_file": "annotations/instances_val.json",
            "image_size": 96,
            "cfg_options": SMALL_RTMDET,
        },
        model=_named("rtmdet_tiny_8xb32-300e_coco"),
    ),
    SmallJob(
        name="instance_segmentation",
        data="balloon",
        keys={
            "TASK": "instance_segmentation",
            "TRAIN_DIR": "images",
            "VAL_DIR": "images",
            "train_ann_file": "annotations/instances_train.json",
            "val_ann_file": "annotations/instances_val.json",
            "image_size": 96,
            "cfg_options": {**SMALL_RTMDET, "model.bbox_head.num_prototypes": 4},
        },
        model=_named("rtmdet-ins_tiny_8xb32-300e_coco"),
    ),
    SmallJob(
        name="pose_detection",
        data="mouse_openfield",
        keys={
            "TASK": "pose_detection",
            "TRAIN_DIR": "images",
            "VAL_DIR": "images",
            "train_ann_file": "annotations/keypoints_train.json",
            "val_ann_file": "annotations/keypoints_val.json",
        },
        model=_named("rtmpose-t_8xb256-420e_coco-256x192"),
    ),
]
