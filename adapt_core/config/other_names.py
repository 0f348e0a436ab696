"""Other libraries' names for adapt's keys, for the hint of an unknown key."""

from __future__ import annotations

OTHER_NAMES: dict[str, str] = {
    "learning_rate": "LR",
    "num_train_epochs": "EPOCHS",
    "num_epochs": "EPOCHS",
    "max_epochs": "EPOCHS",
    "per_device_train_batch_size": "BATCH_SIZE",
    "train_batch_size": "BATCH_SIZE",
    "per_device_eval_batch_size": "EVAL_BATCH_SIZE",
    "optim": "OPTIMIZER",
    "lr_scheduler_type": "SCHEDULER_TYPE",
    "warmup_steps": "WARMUP_ITERS",
    "adam_beta1": "BETA1",
    "adam_beta2": "BETA2",
    "adam_epsilon": "ADAM_EPS",
    "eval_strategy": "INTERVAL",
    "eval_steps": "INTERVAL_STEPS",
    "save_steps": "INTERVAL_STEPS",
    "save_total_limit": "NO_OF_CHECKPOINTS",
    "load_best_model_at_end": "KEEP",
    "metric_for_best_model": "METRIC_FOR_BEST",
    "dataloader_num_workers": "NUM_WORKERS",
    "train_sampling_strategy": "GROUP_BY_LENGTH",
    "torch_dtype": "DTYPE",
    "model_name_or_path": "MODEL_PATH",
    "pretrained_model_name_or_path": "MODEL_PATH",
    "dataset_path": "CUSTOM_DATASET_PATH",
    "train_file": "CUSTOM_DATASET_PATH",
}
"""Folded key of transformers, peft or mmengine -> adapt's key."""
