"""The keys that core owns, in four groups. Defaults are the specification's; where it is silent, the field's."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import Parameter, param, parameters_of
from adapt_core.plugin.specs import TaskSpec

TRACKERS = ("tensorboard",)

PACKAGED_BUILDERS = ("csv", "json", "parquet", "text", "arrow", "imagefolder", "webdataset", "xml", "sql", "pandas")
"""Values of DATASET that name a builder of the library datasets, not a data set on the hub."""

MERGE_DTYPES = ("auto", "float32")
SAVE_METHODS = ("full_torch_model", "state_dict", "safetensors", "save_pretrained")


@attrs.frozen
class DataParams:
    """The source of the data, and the part of it that is used."""

    dataset: str | None = param(
        None, "Hub id of a data set, or a packaged builder's name (csv, json, ...).", key="DATASET"
    )
    dataset_subname: str | None = param(
        None, "Configuration of the hub data set (its 'subset').", key="DATASET_SUBNAME"
    )
    dataset_config: dict[str, object] | str | None = param(
        None, "Further arguments for loading the data set, or its configuration's name.", key="DATASET_CONFIG"
    )
    custom_dataset_path: str | None = param(
        None,
        "Your data: a save_to_disk folder, or a file or folder of csv, tsv, jsonl, json or parquet.",
        key="CUSTOM_DATASET_PATH",
    )
    train_dir: str | None = param(
        None, "File or folder of the training split, inside CUSTOM_DATASET_PATH or absolute.", key="TRAIN_DIR"
    )
    val_dir: str | None = param(
        None, "File or folder of the validation split, inside CUSTOM_DATASET_PATH or absolute.", key="VAL_DIR"
    )
    test_dir: str | None = param(None, "File or folder of the test split (scored once, at the end).", key="TEST_DIR")
    data_split: float | None = param(
        None,
        "Share of the training rows to hold out where the data has no validation split (0.1 when needed).",
        key="DATA_SPLIT",
        gt=0,
        lt=1,
    )
    input_column: str | None = param(None, "Column of the input (each task documents its default).")
    target_column: str | None = param(None, "Column of the target (each task documents its default).")
    format_names: tuple[str, ...] | None = param(
        None, "Columns that FORMAT_STRING uses, in the order of its bare {} fields.", key="FORMAT_NAMES"
    )
    format_string: str | None = param(
        None, "Builds the input from several columns: 'Title: {title} Body: {body}'.", key="FORMAT_STRING"
    )
    max_train_samples: int | None = param(None, "At most this many training rows.", key="MAX_TRAIN_SAMPLES", ge=1)
    max_eval_samples: int | None = param(None, "At most this many validation rows.", key="MAX_EVAL_SAMPLES", ge=1)
    skip_bad_rows: bool = param(
        False, "Drop and count rows that cannot be used, instead of stopping at the first.", key="SKIP_BAD_ROWS"
    )
    remove_unused_columns: bool = param(
        True, "Drop the columns that the model does not take before batches are built.", key="REMOVE_UNUSED_COLUMNS"
    )


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


@attrs.frozen
class TrainingParams:
    """The training loop, whatever the task."""

    do_train: bool = param(True, "Train. false: the model is evaluated and exported as it is.", key="DO_TRAIN")
    do_eval: bool = param(True, "Evaluate, before and after training and at each INTERVAL.", key="DO_EVAL")
    num_workers: int = param(
        4,
        "Worker processes for data loading, at most as many as cores.",
        key="NUM_WORKERS",
        ge=0,
        may_change_on_resume=True,
    )
    batch_size: int = param(16, "Training batch size, per process.", key="BATCH_SIZE", ge=1)
    eval_batch_size: int | None = param(
        None,
        "Evaluation batch size, per process (default: BATCH_SIZE).",
        key="EVAL_BATCH_SIZE",
        ge=1,
        may_change_on_resume=True,
    )
    epochs: float = param(2.0, "Passes over the training data; may be fractional.", key="EPOCHS", gt=0)
    max_steps: int | None = param(
        None, "Stop after this many optimizer steps, whatever EPOCHS says.", key="MAX_STEPS", ge=1
    )
    optimizer: str = param(
        "adamw_torch", "The optimizer, one of the task's loop (adamw_torch runs in its fused kernel).", key="OPTIMIZER"
    )
    lr: float = param(1e-4, "Learning rate, at the top of the schedule.", key="LR", ge=0)
    scheduler_type: str = param("linear", "The learning rate's schedule, one of the task's loop.", key="SCHEDULER_TYPE")
    warmup_ratio: float = param(
        0.0, "Share of all steps that the learning rate warms up.", key="WARMUP_RATIO", ge=0, lt=1
    )
    warmup_iters: int = param(
        0, "Steps that the learning rate warms up; wins over WARMUP_RATIO when above 0.", key="WARMUP_ITERS", ge=0
    )
    weight_decay: float = param(0.0, "Weight decay (biases, norms and scales are exempt).", key="WEIGHT_DECAY", ge=0)
    beta1: float = param(0.9, "Adam's first beta; the momentum of sgd is 0.", key="BETA1", ge=0, lt=1)
    beta2: float = param(0.999, "Adam's second beta.", key="BETA2", ge=0, lt=1)
    adam_eps: float = param(1e-8, "Adam's epsilon.", key="ADAM_EPS", gt=0)
    max_grad_norm: float = param(
        1.0, "Gradients are clipped to this norm; 0 turns clipping off.", key="MAX_GRAD_NORM", ge=0
    )
    interval: str = param(
        "epoch",
        "When to evaluate and save a checkpoint: each epoch, each INTERVAL_STEPS steps, or not before the end.",
        key="INTERVAL",
        choices=("epoch", "steps", "no"),
        may_change_on_resume=True,
    )
    interval_steps: int = param(
        100, "Steps between checkpoints where INTERVAL is steps.", key="INTERVAL_STEPS", ge=1, may_change_on_resume=True
    )
    no_of_checkpoints: int = param(
        5, "Checkpoints to keep; older ones are deleted.", key="NO_OF_CHECKPOINTS", ge=1, may_change_on_resume=True
    )
    keep: str = param(
        "last",
        "Which weights a run ends with: the last, or the best by METRIC_FOR_BEST.",
        key="KEEP",
        choices=("last", "best"),
    )
    metric_for_best: str | None = param(
        None, "What decides what is best: a metric of the task, or loss (default: its first).", key="METRIC_FOR_BEST"
    )
    early_stopping_patience: int | None = param(
        None, "Stop after this many evaluations without a better METRIC_FOR_BEST.", key="EARLY_STOPPING_PATIENCE", ge=1
    )
    fp16: bool = param(False, "Mixed precision in float16 (needs a GPU).", key="FP16")
    bf16: bool = param(False, "Mixed precision in bfloat16.", key="BF16")
    gradient_accumulation_steps: int = param(1, "Batches per optimizer step.", key="GRADIENT_ACCUMULATION_STEPS", ge=1)
    gradient_checkpointing: bool = param(
        False, "Recompute activations in the backward pass: less memory, more time.", key="GRADIENT_CHECKPOINTING"
    )
    chunked_loss: bool = param(
        True,
        "Compute the loss of a language model a chunk of labelled tokens at a time, without the logits of a whole "
        "batch: the same loss in less memory. Not under FSDP or in float16, where all logits are computed.",
        key="CHUNKED_LOSS",
    )
    lean_layers: bool = param(
        True,
        "Keep only the inputs of a language model's gated layers and RMS norms for the backward pass, and compute the "
        "rest again there: the same results in less memory. In single precision, and not under FSDP.",
        key="LEAN_LAYERS",
    )
    frozen_cache_gb: float = param(
        10.0,
        "Gigabytes for what a frozen part makes of a split, computed once for each row (last_layer). 0: at every step.",
        key="FROZEN_CACHE_GB",
        ge=0,
        may_change_on_resume=True,
    )
    group_by_length: bool = param(
        False, "Batch examples of like length together, so that less is padded.", key="GROUP_BY_LENGTH"
    )
    logging_steps: int = param(
        10, "Steps between logged figures.", key="LOGGING_STEPS", ge=1, may_change_on_resume=True
    )
    seed: int = param(42, "Seed of every random choice.", key="SEED", ge=0, le=2**32 - 1)


@attrs.frozen
class RunParams:
    """The task and method of a run, and the place and form of its results."""

    task: str = param("", "The task.", key="TASK")
    method: str | None = param(None, "The method: full, last_layer, LoRA, DoRA, SSF, or a plugin's.")
    full_fine_tuning: bool = param(
        False, "Every parameter trains; without any PEFT method.", key="FULL_FINE_TUNING", on=True
    )
    last_layer_tuning: bool | None = param(
        None,
        "Alone: the method last_layer. With a PEFT method: whether the head trains in addition to the adapter "
        "(absent: yes where the checkpoint had no such head, no for language-model heads).",
        key="LAST_LAYER_TUNING",
        on=True,
    )
    launcher: str | None = param(None, "How processes are started: local, or a plugin's.", may_change_on_resume=True)
    cuda_id: str | None = param(None, "The GPUs to use, by number: '0' or '0,1'.", may_change_on_resume=True)
    output_dir: str | None = param(
        None, "The run folder (default: runs/NAME_OF_THE_CONFIG).", key="OUTPUT_DIR", may_change_on_resume=True
    )
    overwrite_output_dir: bool = param(
        False, "Replace an earlier run in OUTPUT_DIR.", key="OVERWRITE_OUTPUT_DIR", may_change_on_resume=True
    )
    resume_from_checkpoint: bool | str = param(
        False,
        "Go on from the newest complete checkpoint (true or auto), or from a given one.",
        key="RESUME_FROM_CHECKPOINT",
        may_change_on_resume=True,
    )
    resume_with_changes: bool = param(
        False,
        "Resume although the data or the base model changed, or the checkpoint is of another run.",
        key="RESUME_WITH_CHANGES",
        may_change_on_resume=True,
    )
    save_method: str = param(
        "state_dict",
        "Form of the adapted model in model/: a pickled model, a state dict, safetensors, or a save_pretrained folder.",
        key="SAVE_METHOD",
        choices=SAVE_METHODS,
        may_change_on_resume=True,
    )
    merge_adapter: bool | None = param(
        None,
        "Merge the adapter into the saved model (default: true on a float base, false on a quantized one).",
        key="MERGE_ADAPTER",
        may_change_on_resume=True,
    )
    do_predict: bool = param(
        False,
        "Predict the test split, with or without labels, when the run has finished, into predictions/test.jsonl.",
        key="DO_PREDICT",
        may_change_on_resume=True,
    )
    merge_dtype: str = param(
        "auto",
        "The type of the weights that an adapter is merged into. auto: their own. float32: nothing of what was learned "
        "is rounded away where that is bfloat16 or float16; the saved model takes twice the bytes.",
        key="MERGE_DTYPE",
        choices=MERGE_DTYPES,
        may_change_on_resume=True,
    )
    push_to_hub: str | None = param(
        None, "Upload the adapted model to this hub repository.", key="PUSH_TO_HUB", may_change_on_resume=True
    )
    trackers: tuple[str, ...] = param(
        (),
        "Trackers that get the run's figures too (tensorboard: event files in tensorboard/ of the run folder).",
        key="TRACKERS",
        choices=TRACKERS,
        may_change_on_resume=True,
    )
    logging_path: str | None = param(
        None,
        "Write the log to this file too: a new one, or an earlier log.",
        key="LOGGING_PATH",
        may_change_on_resume=True,
    )


GROUPS: dict[str, type] = {"data": DataParams, "model": ModelParams, "training": TrainingParams, "run": RunParams}
"""The groups of core's keys, by their attribute of a plan."""


def changed_by(task: TaskSpec) -> list[Parameter]:
    """Return the core parameters whose default or choices come from a task or its loop, with those."""
    core = {key: parameter for group in GROUPS.values() for key, parameter in parameters_of(group).items()}
    changed = []
    for key in dict.fromkeys((*task.core_defaults, *task.loop.choices)):
        declaration = core[key].declaration
        choices = task.loop.choices.get(key, declaration.choices)
        default = task.core_defaults.get(key, core[key].default)
        changed.append(attrs.evolve(core[key], default=default, declaration=attrs.evolve(declaration, choices=choices)))
    return changed
