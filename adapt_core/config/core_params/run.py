"""Keys of the run: task, method, launcher, and the place and form of the results."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param

MERGE_DTYPES = ("auto", "float32")
SAVE_METHODS = ("full_torch_model", "state_dict", "safetensors", "save_pretrained")


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
    device: str = param(
        "auto",
        "Where one process computes: the accelerator that torch sees (a GPU, Apple's, Intel's), else the CPU; or cpu, "
        "cuda, mps, xpu.",
        key="DEVICE",
        may_change_on_resume=True,
    )
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
    keep_predictions: bool = param(
        True,
        "Keep what the trained model predicts for each validation row, in predictions.parquet.",
        key="KEEP_PREDICTIONS",
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
    export: tuple[str, ...] = param(
        (),
        "Further forms of the adapted model, each checked in its own runtime, in exports/: exporters in adapt plugins.",
        key="EXPORT",
        may_change_on_resume=True,
    )
    push_to_hub: str | None = param(
        None, "Upload the adapted model to this hub repository.", key="PUSH_TO_HUB", may_change_on_resume=True
    )
    trackers: tuple[str, ...] = param(
        (),
        "Trackers that get the run's figures too, by their names in adapt plugins: tensorboard, wandb, mlflow, trackio "
        "and others. What they write is in trackers/ of the run folder (tensorboard: in tensorboard/).",
        key="TRACKERS",
        may_change_on_resume=True,
    )
    tracker_project: str = param(
        "adapt", "The project, or experiment, of the run in its trackers.", may_change_on_resume=True
    )
    tracker_run: str | None = param(
        None,
        "The run's name in its trackers (default: that of the run folder).",
        may_change_on_resume=True,
    )
    verdict: tuple[str, ...] = param(
        ("auto",),
        "Checks of the data before training: auto (all that are installed), none, or their names in adapt plugins.",
        key="VERDICT",
        may_change_on_resume=True,
    )
    verdict_seconds: float = param(
        60.0,
        "The checks of the data may take this long together; what would take longer is left out, with a word.",
        key="VERDICT_SECONDS",
        gt=0,
        may_change_on_resume=True,
    )
    logging_path: str | None = param(
        None,
        "Write the log to this file too: a new one, or an earlier log.",
        key="LOGGING_PATH",
        may_change_on_resume=True,
    )
