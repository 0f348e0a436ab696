"""Keys of the pretrained model and how it is loaded."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class ModelParams:
    """The pretrained model and how it is loaded."""

    model_path: str | None = param(
        None,
        "The pretrained model: hub id, folder, file, or package:NAME/path inside an installed package.",
        key="MODEL_PATH",
    )
    local_model_path: str | None = param(
        None, "A local model folder or file; wins over MODEL_PATH when both are given.", key="LOCAL_MODEL_PATH"
    )
    model_checkpoint: str | None = param(
        None,
        "Weights to load over those of MODEL_PATH: a .safetensors or .pt state dict, or a folder with one.",
        key="MODEL_CHECKPOINT",
    )
    start_from: str | None = param(
        None,
        "Go on from the model of a finished run, its folder: the same adapter, or trained model, on new data and with "
        "a new schedule. Task, method and base model are that run's.",
        key="START_FROM",
    )
    new_weights: tuple[str, ...] | None = param(
        None,
        "Tensors of the base model that may start from random values where the weights lack them or have another "
        "shape: patterns of their names ('bert.embeddings.*'). Other tensors must be there; a new head need not.",
        key="NEW_WEIGHTS",
    )
    dtype: str = param(
        "auto",
        "Data type of the loaded weights. auto: float32 where those weights train, or where a CPU without instructions "
        "for the checkpoint's half precision computes them (unless that takes more than half of its memory); else the "
        "checkpoint's own.",
        key="DTYPE",
        choices=("auto", "float32", "float16", "bfloat16"),
    )
    trust_remote_code: bool = param(
        False,
        "Run Python code that comes with a model: the modules of a Hugging Face repository or folder, the OpenMMLab "
        "config in a folder, and the pickle of a run saved with SAVE_METHOD full_torch_model (adapt export, adapt "
        "predict). Such code can do anything. Weights, data sets and checkpoints never run code.",
        key="TRUST_REMOTE_CODE",
    )
