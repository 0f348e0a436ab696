"""Keys of nyuntam_adapt, the previous tool, and their fate.

Three tables: other spellings of a key that lives on, keys that have no effect any more (with the reason, which is
logged), and task names that mean another task.
"""

from __future__ import annotations

ALIASES: dict[str, str] = {
    "peft_method": "method",
    "peft_type": "method",
    "resume": "resume_from_checkpoint",
    "library": "framework",
    "report_to": "trackers",
    "merge_adapters": "merge_adapter",
    "use_4bit": "load_in_4bit",
    "use_8bit": "load_in_8bit",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_r": "r",
    "dataset_name": "dataset",
    "data_path": "custom_dataset_path",
    "custom_model_path": "local_model_path",
}
"""Folded key -> the folded key that it is another spelling of."""

REWRITTEN: dict[str, str] = {"text_column": "input_column"}
"""Folded key -> a folded key that `legacy_values` makes of it."""

HONOURED: dict[str, str] = {
    "peft_method": "method",
    "peft_type": "method",
    "resume": "RESUME_FROM_CHECKPOINT",
    "library": "FRAMEWORK: which library an image classifier comes from",
    "framework": "which library an image classifier comes from",
    "cuda_id": "the GPUs to use; a warning where there are none",
    "group_by_length": "batches of like length",
    "remove_unused_columns": "columns the model does not take are dropped",
    "train_dir": "the training split's place",
    "val_dir": "the validation split's place",
    "test_dir": "the test split's place",
    "format_names": "the columns of FORMAT_STRING",
    "format_string": "the input built from several columns",
    "input_question_column": "the question's column",
    "model_checkpoint": "weights loaded over those of MODEL_PATH",
    "logging_path": "a second copy of the log",
    "auto_select_modules": "true: target_modules empty means every layer the method can take",
    "predict_with_generate": "evaluation by generation",
    "data_split": "the share of training rows held out",
    "squad_v2_format": "unanswerable questions",
    "dataset_text_field": "the name of the text column",
    "merge_adapters": "MERGE_ADAPTER",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_r": "r",
    "dataset_name": "DATASET",
    "data_path": "CUSTOM_DATASET_PATH",
    "custom_model_path": "LOCAL_MODEL_PATH",
    "text_column": "input_column; several columns, separated by commas, are joined by line breaks or FORMAT_STRING",
}
"""Folded key -> what it does in adapt. Every one of these is declared by core or by a task."""

WITHOUT_EFFECT: dict[str, str] = {
    "job_id": "it numbered jobs of a hosted service",
    "job_service": "it named a hosted service",
    "user_folder": "it was a hosted service's folder; OUTPUT_DIR decides",
    "dataset_id": "it was a hosted service's number; DATASET or CUSTOM_DATASET_PATH decides",
    "data_version": "data sets are taken as they are",
    "model_version": "models are taken as they are; a hub revision is written after the id, as ID@REVISION",
    "cache_bool": "models and tokenized data are always cached",
    "model": "MODEL_PATH decides",
    "model_name": "MODEL_PATH decides",
    "algorithm": "method decides",
    "steps": "the former tool never applied it; MAX_STEPS limits training",
    "blocksize": "the former tool never applied it; max_seq_length decides",
    "dataset_format": "the former tool never applied it; columns and FORMAT_STRING decide",
    "save_strategy": "INTERVAL decides",
    "logging_strategy": "LOGGING_STEPS decides",
    "id": "it numbered jobs of a hosted service",
    "file_location": "it was a place of a hosted service; CUSTOM_DATASET_PATH decides",
    "dataset_type": "it was a hosted service's number; the data's files decide",
    "split": "splits are found by their names (train, validation, test); TRAIN_DIR, VAL_DIR and TEST_DIR name others",
    "dest_root": "configs and checkpoints of models are read from installed packages or LOCAL_MODEL_PATH",
    "work_dir": "mmengine's own logs are in OUTPUT_DIR",
    "num_classes": "the data and class_list decide",
    "train_img_file": "the folder of images is found in the data folder",
    "val_img_file": "the folder of images is found in the data folder",
    "train_seg_file": "the folder of segmentation maps is found in the data folder",
    "val_seg_file": "the folder of segmentation maps is found in the data folder",
    "use_dora": "the method decides; use_dora: true beside method LoRA is method DoRA",
    "layer_replication": "adapters are trained on the model's own layers; build a deeper model first",
    "megatron_config": "adapt does not train Megatron models",
    "megatron_core": "adapt does not train Megatron models",
    "fsdp_backward_prefetch": "FSDP version 2 always gathers the next layer's weights ahead",
    "enable_cpu_affinity": "the operating system places the processes; numactl or taskset bind them",
}
"""Folded key -> why it does nothing."""

SEQ2SEQ = "seq2seq_tasks"
SEQ2SEQ_SUBTASKS = ("summarization", "translation")
