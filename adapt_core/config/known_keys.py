"""Every documented name and the distribution that provides it, as data.

With it, a core without plugins can report "method 'LoRA' is in adapt-peft-ssf: pip install adapt-peft-ssf", and
distinguish a key of a plugin that is not installed from a misspelt one. A test compares this table with the
specification and with what the installed plugins declare.
"""

from __future__ import annotations

import attrs

_NLP = "adapt-nlp"
_VISION = "adapt-vision-mm"
_PEFT = "adapt-peft-ssf"
_FSDP = "adapt-fsdp"
_VERDICT = "adapt-verdict"
_GGUF = "adapt-gguf"
_ONNX = "adapt-onnx"
_TUNE = "adapt-tune"
_RAY = "adapt-ray"

DISTRIBUTIONS: dict[str, str] = {
    _NLP: "language tasks",
    _VISION: "vision tasks",
    _PEFT: "LoRA, DoRA, SSF, 4 and 8 bit",
    _FSDP: "DDP and FSDP",
    _VERDICT: "checks of the data",
    _GGUF: "GGUF files",
    _ONNX: "models as ONNX files",
    _TUNE: "adapt tune: settings by search",
    _RAY: "runs on Ray",
}
"""adapt's own plugins, with what each is for."""

TASKS: dict[str, str] = {
    "text_generation": _NLP,
    "text_classification": _NLP,
    "summarization": _NLP,
    "translation": _NLP,
    "question_answering": _NLP,
    "image_classification": _VISION,
    "object_detection": _VISION,
    "instance_segmentation": _VISION,
    "image_segmentation": _VISION,
    "pose_detection": _VISION,
}
METHODS: dict[str, str] = {"LoRA": _PEFT, "DoRA": _PEFT, "SSF": _PEFT, "peft": _PEFT}
QUANTIZERS: dict[str, str] = {"bnb_4bit": _PEFT, "bnb_8bit": _PEFT}
LAUNCHERS: dict[str, str] = {"ddp": _FSDP, "fsdp": _FSDP, "ray": _RAY}
_TEXT_METRICS = (
    *("exact_match", "token_f1", "rouge", "rouge1", "rouge2", "rougeL", "rougeLsum", "bleu", "sacrebleu", "chrf"),
    *("json_valid", "json_schema", "tool_call", "regex", "squad", "seqeval"),
)
METRICS: dict[str, str] = dict.fromkeys(_TEXT_METRICS, _NLP)
EXPORTERS: dict[str, str] = {
    **dict.fromkeys(("gguf", "gguf_adapter"), _GGUF),
    **dict.fromkeys(("lora", "vllm"), _PEFT),
    "onnx": _ONNX,
}
TRACKERS: dict[str, str] = {}
COMMANDS: dict[str, str] = {"tune": _TUNE}
FORMATS: dict[str, str] = {
    **dict.fromkeys(("conll", "bio", "iob"), _NLP),
    **dict.fromkeys(("coco", "pascal_voc", "voc", "label_maps", "yolo"), _VISION),
}


@attrs.frozen
class Switch:
    """A boolean key that turns on a quantizer or launcher of a plugin."""

    kind: str
    name: str
    distribution: str


SWITCHES: dict[str, Switch] = {
    "load_in_4bit": Switch("quantizer", "bnb_4bit", _PEFT),
    "load_in_8bit": Switch("quantizer", "bnb_8bit", _PEFT),
    "ddp": Switch("launcher", "ddp", _FSDP),
    "fsdp": Switch("launcher", "fsdp", _FSDP),
}

_MM_KEYS = (
    "BEGIN END T_MAX WARMUP WARMUP_RATIO WARMUP_ITERS MILESTONES GAMMA amp auto_scale_lr cfg_options "
    "train_ann_file val_ann_file test_ann_file checkpoint_interval image_size augment backbone backbone_weights "
    "score_threshold FUSE_CONVOLUTIONS"
)
_MACHINES = (
    "num_nodes num_machines num_processes machine_rank main_process_ip main_process_port rdzv_backend same_network "
    "machine_timeout machine_wait collective_timeout container_image gpu_type volume_claim volume_path"
)

_PROBLEM = (
    "problem_type target_columns label_separator CALIBRATE ABSTAIN_PRECISION LABEL_SMOOTHING LOSS LOSS_OPTIONS "
    "CLASS_SAMPLING"
)

_LORA = (
    "r alpha dropout target_modules fan_in_fan_out init_lora_weights auto_select_modules use_rslora bias "
    "modules_to_save layers_to_transform layers_pattern rank_pattern alpha_pattern start_rows lora_options "
    "FROZEN_DROPOUT"
)

_TOKENS = "ADD_TOKENS ADD_TOKENS_START"

_KEYS: dict[str, dict[str, str]] = {
    _NLP: {
        "text_generation": "packing dataset_text_field max_seq_length flash_attention2 loss_on max_new_tokens "
        "GENERATE_IN_EVALUATION chat_template_kwargs temperature top_p blocksize DATASET_FORMAT LABEL_SMOOTHING "
        f"{_TOKENS}",
        "text_classification": "subtask TAG_NAMES dataset_text_field flash_attention2 max_seq_length CLASS_WEIGHTS "
        f"{_PROBLEM} {_TOKENS}",
        "summarization": "max_input_length max_target_length eval_metric generation_max_length dataset_text_field "
        f"flash_attention2 PREFIX predict_with_generate num_beams LABEL_SMOOTHING {_TOKENS}",
        "translation": "max_input_length max_target_length eval_metric source_lang target_lang PREFIX "
        "dataset_text_field flash_attention2 generation_max_length predict_with_generate num_beams LABEL_SMOOTHING "
        f"{_TOKENS}",
        "sacrebleu": "BLEU_LANGUAGE",
        "json_schema": "JSON_SCHEMA",
        "regex": "ANSWER_PATTERN",
        "question_answering": "max_answer_length max_length doc_stride n_best_size null_score_diff_threshold "
        "input_question_column squad_v2_format "
        f"dataset_text_field flash_attention2 {_TOKENS}",
    },
    _VISION: {
        "image_classification": "load_model model_type image_processor_path FRAMEWORK load_by_order augmentation "
        "AUGMENTED_VIEWS RAND_AUGMENT RANDOM_ERASING MIXUP CUTMIX dataset_text_field flash_attention2 "
        f"CLASS_WEIGHTS {_PROBLEM}",
        "object_detection": f"{_MM_KEYS} REPEAT_THRESHOLD",
        "instance_segmentation": f"{_MM_KEYS} class_list palette REPEAT_THRESHOLD",
        "pose_detection": _MM_KEYS,
    },
    _PEFT: {
        "LoRA": _LORA,
        "DoRA": _LORA,
        "lora": "lora_rank lora_tolerance",
        "SSF": "target_modules init_ssf_weights ssf_shift_everywhere auto_select_modules FROZEN_DROPOUT",
        "peft": "peft_name peft_options target_modules auto_select_modules FROZEN_DROPOUT",
        "bnb_4bit": "load_in_4bit bnb_4bit_compute_dtype bnb_4bit_quant_type bnb_4bit_use_double_quant "
        "bnb_4bit_quant_storage llm_int8_skip_modules",
        "bnb_8bit": "load_in_8bit llm_int8_threshold llm_int8_skip_modules llm_int8_enable_fp32_cpu_offload "
        "llm_int8_has_fp16_weight",
    },
    _ONNX: {"onnx": "onnx_int8"},
    _FSDP: {
        "ddp": f"DDP {_MACHINES} use_cpu mixed_precision",
        "fsdp": f"FSDP {_MACHINES} compute_environment debug distributed_type downcast_bf16 fsdp_auto_wrap_policy "
        "fsdp_backward_prefetch_policy fsdp_forward_prefetch fsdp_cpu_ram_efficient_loading fsdp_offload_params "
        "fsdp_sharding_strategy fsdp_state_dict_type fsdp_sync_module_states fsdp_use_orig_params fsdp_version "
        "fsdp_activation_checkpointing fsdp_transformer_layer_cls_to_wrap fsdp_min_num_params "
        "main_training_function mixed_precision tpu_env tpu_use_cluster tpu_use_sudo use_cpu",
    },
    _GGUF: {"gguf": "gguf_type gguf_pre"},
    _TUNE: {"tune": "TUNE TUNE_TRIALS TUNE_AT_ONCE"},
    _RAY: {
        "ray": "num_processes use_cpu mixed_precision collective_timeout ray_address resources_per_worker "
        "ray_storage_path"
    },
}


def _invert() -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for distribution, users in _KEYS.items():
        for user, keys in users.items():
            for key in keys.split():
                owners.setdefault(key.casefold(), []).append(f"{user} of {distribution}")
    return owners


OWNERS: dict[str, list[str]] = _invert()
"""Folded key -> who reads it ("LoRA of adapt-peft-ssf")."""

SPELLING: dict[str, str] = {
    key.casefold(): key for users in _KEYS.values() for keys in users.values() for key in keys.split()
}
"""Folded key -> the key as documented."""


def keys_of(distribution: str, user: str) -> set[str]:
    """Return the folded keys in this table of a task, method, quantizer or launcher of a distribution."""
    return {key.casefold() for key in _KEYS.get(distribution, {}).get(user, "").split()}
