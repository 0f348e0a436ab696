"""Every key, value and section of the previous tool is honoured, or has no effect with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from adapt_core.config.plan import Plan
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.plugin.registry import Registry

TASKS = (
    "text_generation",
    "text_classification",
    "Seq2Seq_tasks",
    "question_answering",
    "image_classification",
    "object_detection",
    "image_segmentation",
    "pose_detection",
)

JOB = {"ID": 7, "FILE_LOCATION": "here", "DATASET_TYPE": "2", "JOB_ID": 3}
DATA = {"SPLIT": "train", "DATASET_NAME": "", "DATA_PATH": "./data", "CUSTOM_MODEL_PATH": "", "DATASET": None}
MMLABS = {
    "dest_root": "./.cache",
    "work_dir": "./work",
    "num_classes": 2,
    "train_img_file": "images",
    "val_img_file": "images",
    "train_seg_file": "labels",
    "val_seg_file": "seg_maps",
    "class_list": ["a", "b"],
    "launcher": "none",
    "cfg_options": "None",
    "resume": None,
}
LORA = {
    "r": "4",
    "lora_alpha": "32",
    "lora_dropout": "0.05",
    "use_rslora": "True",
    "bias": "lora_only",
    "modules_to_save": ["pooler"],
    "layers_to_transform": [0, 1],
    "layers_pattern": "layers",
    "rank_pattern": {"q_proj": 2},
    "alpha_pattern": {"q_proj": 64},
    "use_dora": False,
    "layer_replication": [[0, 2], [1, 2]],
    "megatron_config": {"hidden": 3},
    "megatron_core": "megatron.core",
}
BNB = {
    "USE_4BIT": {"load_in_4bit": False, "bnb_4bit_quant_type": "nf4", "llm_int8_skip_modules": None},
    "USE_8BIT": {"load_in_8bit": "False", "llm_int8_threshold": "6.0"},
}
FSDP = {
    "enable_cpu_affinity": False,
    "fsdp_config": {"fsdp_backward_prefetch": "NO_PREFETCH", "fsdp_offload_params": False},
}
SECTIONS: dict[str, Any] = {
    **JOB,
    "MERGE_ADAPTERS": "True",
    "PEFT_METHOD": "LoRA",
    "DATASET_ARGS": DATA,
    "MODEL_ARGS": {"MODEL_PATH": "./model"},
    "TRAINING_ARGS": {"OPTIMIZER": "AdamW", "EPOCHS": "3", "DO_EVAL": "True", "DDP": False},
    "FINE_TUNING_ARGS": {"FULL_FINE_TUNING": False},
    "LoRA_CONFIG": LORA,
    "DoRA_CONFIG": {**LORA, "lora_alpha": 3},
    "SSF_CONFIG": {"target_modules": None},
    "BNB_CONFIG": BNB,
    "MMLABS_ARGS": MMLABS,
    "fsdp_args": FSDP,
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    """What is installed; the tests skip where a plugin is not."""
    found = Registry.discover()
    if found.tasks.find("text_generation") is None or found.tasks.find("object_detection") is None:
        pytest.skip("needs adapt-nlp and adapt-vision-mm installed")
    if found.methods.find("LoRA") is None or found.launchers.find("ddp") is None:
        pytest.skip("needs adapt-peft-ssf and adapt-fsdp installed")
    return found


def resolved(registry: Registry, **given: Any) -> Plan[Any]:
    base = {"TASK": "text_generation", "MODEL_PATH": "./model", "CUSTOM_DATASET_PATH": "./data"}
    return resolve(RunConfig.read({**base, **given}), registry)


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config without its sections."""
    keys: dict[str, Any] = {}
    for key, value in config.items():
        is_section = isinstance(value, dict) and not key.endswith(("_pattern", "megatron_config"))
        keys.update(flat(value) if is_section and key != "DoRA_CONFIG" else {} if is_section else {key: value})
    return keys


@pytest.mark.parametrize("layout", ["sections", "flat"])
@pytest.mark.parametrize("task", TASKS)
def test_a_file_with_all_of_its_keys_resolves(registry: Registry, task: str, layout: str) -> None:
    config = SECTIONS if layout == "sections" else flat(SECTIONS)
    subtask = {"subtask": "summarization"} if task == "Seq2Seq_tasks" else {}
    plan = resolve(RunConfig.read({"TASK": task, **subtask, **config}), registry)
    lora = plan.method.params
    assert (plan.method.name, lora.r, lora.alpha, lora.dropout) == ("LoRA", 4, 32, 0.05)
    assert (lora.use_rslora, lora.bias, lora.modules_to_save) == (True, "lora_only", ("pooler",))
    assert (lora.layers_to_transform, lora.layers_pattern) == ((0, 1), ("layers",))
    assert (lora.rank_pattern, lora.alpha_pattern) == ({"q_proj": 2}, {"q_proj": 64})
    assert (plan.run.merge_adapter, plan.data.custom_dataset_path, plan.data.dataset) == (True, "./data", None)
    assert (plan.training.optimizer, plan.training.epochs, plan.launcher.name) == ("adamw_torch", 3, "local")
    assert plan.quantizer is None
    remarks = "; ".join(plan.remarks)
    for key in ("ID", "SPLIT", "dest_root", "train_seg_file", "fsdp_backward_prefetch", "enable_cpu_affinity"):
        assert f"{key} (no effect: " in remarks


@pytest.mark.parametrize(
    ("written", "read"), [("AdamW", "adamw_torch"), ("SGD", "sgd"), ("Adafactor", "adafactor"), ("RMSprop", "rmsprop")]
)
@pytest.mark.parametrize("task", ["text_generation", "object_detection"])
def test_an_optimizer_may_have_mmengine_s_class_name(registry: Registry, task: str, written: str, read: str) -> None:
    assert resolved(registry, TASK=task, OPTIMIZER=written).training.optimizer == read


def test_launcher_none_leaves_the_choice_to_the_switches(registry: Registry) -> None:
    assert resolved(registry, launcher="none", DDP=True).launcher.name == "ddp"
    assert resolved(registry, launcher="none", DDP=False).launcher.name == "local"


def test_sections_of_4_and_8_bit_choose_the_quantizer(registry: Registry) -> None:
    bits = {"USE_4BIT": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}, "USE_8BIT": {"load_in_8bit": False}}
    plan = resolved(registry, PEFT_METHOD="LoRA", BNB_CONFIG=bits)
    assert plan.quantizer is not None
    assert (plan.quantizer.name, plan.quantizer.params.bnb_4bit_quant_type) == ("bnb_4bit", "fp4")
    plan = resolved(registry, PEFT_METHOD="LoRA", BNB_CONFIG={"USE_8BIT": True})
    assert plan.quantizer is not None
    assert plan.quantizer.name == "bnb_8bit"


@pytest.mark.parametrize("hub", ["samsum", "knkarthick/samsum", "./data/samsum"])
def test_data_named_twice_is_read_from_the_path(registry: Registry, hub: str) -> None:
    plan = resolved(registry, DATASET=hub, CUSTOM_DATASET_PATH="./data/samsum")
    assert (plan.data.dataset, plan.data.custom_dataset_path) == (None, "./data/samsum")
    assert any("name the same data" in remark for remark in plan.remarks)
    with pytest.raises(ConfigError, match="one place"):
        resolved(registry, DATASET="xsum", CUSTOM_DATASET_PATH="./data/samsum")


def test_the_written_line_break_of_format_string_is_one(registry: Registry) -> None:
    plan = resolved(registry, FORMAT_STRING="Q: {question}\\nA: {answer}")
    assert plan.data.format_string == "Q: {question}\nA: {answer}"


def test_text_column_is_one_column_or_several_joined(registry: Registry) -> None:
    assert resolved(registry, TEXT_COLUMN="body").data.input_column == "body"
    data = resolved(registry, TEXT_COLUMN="title, body").data
    assert (data.format_names, data.format_string) == (("title", "body"), "{}\n{}")
    data = resolved(registry, TEXT_COLUMN="title,body", FORMAT_STRING="{}: {}").data
    assert (data.format_names, data.format_string) == (("title", "body"), "{}: {}")
    with pytest.raises(ConfigError, match="contradicts input_column"):
        resolved(registry, TEXT_COLUMN="body", input_column="text")


def test_use_dora_beside_lora_is_the_method_dora(registry: Registry) -> None:
    plan = resolved(registry, PEFT_METHOD="LoRA", LoRA_CONFIG={"use_dora": "true", "r": 4})
    assert (plan.method.name, plan.method.params.r) == ("DoRA", 4)
    assert any("use_dora" in remark for remark in plan.remarks)
    plan = resolved(registry, PEFT_METHOD="DoRA", DoRA_CONFIG={"use_dora": True, "lora_alpha": 3})
    assert (plan.method.name, plan.method.params.alpha) == ("DoRA", 3)


def test_num_classes_must_agree_with_class_list(registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"num_classes: is 3, and class_list .* has 2 classes"):
        resolved(registry, TASK="image_segmentation", MMLABS_ARGS={"num_classes": 3, "class_list": ["a", "b"]})
