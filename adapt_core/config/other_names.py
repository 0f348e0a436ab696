"""Other libraries' names for adapt's keys, tasks and methods, for the hint of an unknown one."""

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
    "dataset_text_column": "input_column",
    "text_field": "input_column",
    "label_column": "target_column",
    "label_field": "target_column",
    "labels_column": "target_column",
    "problem": "problem_type",
    "label_columns": "target_columns",
    "label_delimiter": "label_separator",
    "summary_column": "target_column",
    "question_column": "input_question_column",
    "context_column": "input_column",
    "answer_column": "target_column",
    "model_max_length": "max_seq_length",
    "enable_thinking": "chat_template_kwargs",
    "template_kwargs": "chat_template_kwargs",
    "src_lang": "source_lang",
    "tgt_lang": "target_lang",
    "lora_target_modules": "target_modules",
    "gpu": "CUDA_ID",
    "quantization_bit": "load_in_4bit",
    "save_dir": "OUTPUT_DIR",
}
"""Folded key of transformers, peft or mmengine -> adapt's key."""

_TAGS = "text_classification with subtask: {}"
_QLORA = "method: LoRA with load_in_4bit: true"

OTHER_TASKS: dict[str, str] = {
    **{name: _TAGS.format(name) for name in ("ner", "pos", "chunk")},
    "token_classification": f"{_TAGS.format('ner')}, pos or chunk",
    "named_entity_recognition": _TAGS.format("ner"),
    "sequence_classification": "text_classification",
    "sentiment_analysis": "text_classification",
    "causal_lm": "text_generation",
    "language_modeling": "text_generation",
    "sft": "text_generation",
    "chat": "text_generation",
    "qa": "question_answering",
    "extractive_qa": "question_answering",
    "seq2seq": "summarization or translation",
    "classification": "text_classification or image_classification",
    "detection": "object_detection",
    "yolo": "object_detection",
    "segmentation": "instance_segmentation",
    "keypoint_detection": "pose_detection",
    "pose_estimation": "pose_detection",
}
"""Folded name of a task elsewhere -> how adapt spells it."""

OTHER_METHODS: dict[str, str] = {
    "qlora": "LoRA with load_in_4bit: true",
    "qdora": "DoRA with load_in_4bit: true",
    "rslora": "LoRA with use_rslora: true",
    "full_fine_tuning": "full",
    "full_finetuning": "full",
    "fft": "full",
    "finetune": "full",
    "sft": "full, or LoRA",
    "head": "last_layer",
    "linear_probe": "last_layer",
    "linear_probing": "last_layer",
    **{name.casefold(): f"peft with peft_name: {name}" for name in ("IA3", "LoHa", "LoKr", "VeRA", "OFT", "BOFT")},
}
"""Folded name of a method elsewhere -> how adapt spells it."""

SETTINGS: dict[str, str] = {
    "qlora": _QLORA,
    "use_qlora": _QLORA,
    "lora": "method: LoRA",
    "use_lora": "method: LoRA",
    "ner": f"TASK: {_TAGS.format('ner')}",
    "pos": f"TASK: {_TAGS.format('pos')}",
    "task_type": "TASK",
}
"""Folded key elsewhere -> the key with its value that does this here."""


def other_key(folded: str) -> str | None:
    """Return how adapt spells a key of another library, or None where no such key is known."""
    return OTHER_NAMES.get(folded) or SETTINGS.get(folded)
