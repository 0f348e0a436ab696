"""Names in a config that are not adapt's here: of absent plugins, of other tools, of the previous tool, of a task."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import attrs
import pytest

from adapt_core.config.other_names import OTHER_METHODS, OTHER_NAMES, OTHER_TASKS, SETTINGS
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.config.sections import declared_keys
from adapt_core.plugin.params import param
from adapt_core.plugin.registry import Registry

from .. import fakes
from .resolving import MINIMAL, plan, problems

# --- what is not installed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: LoRA\n", "method 'LoRA' is in adapt-peft-ssf: pip install adapt-peft-ssf"),
        ("load_in_4bit: True\n", "quantizer bnb_4bit is in adapt-peft-ssf: pip install adapt-peft-ssf"),
        ("FSDP: True\n", "launcher fsdp is in adapt-fsdp: pip install adapt-fsdp"),
        ("launcher: ddp\n", "launcher 'ddp' is in adapt-fsdp: pip install adapt-fsdp"),
        ("TASK: pose_detection\n", "task 'pose_detection' is in adapt-vision-mm: pip install adapt-vision-mm"),
    ],
)
def test_what_an_absent_plugin_provides_is_an_error_with_the_pip_line(text: str, message: str) -> None:
    registry = fakes.registry(adapt_tasks=[fakes.task()])
    base = MINIMAL if not text.startswith("TASK") else MINIMAL.replace("TASK: words\n", "")
    assert message in problems(text, registry, base=base)


def test_keys_of_absent_plugins_are_known_not_unknown() -> None:
    registry = fakes.registry(adapt_tasks=[fakes.task()])
    text = "r: 8\nbnb_4bit_quant_type: nf4\nload_in_8bit: False\nfsdp_offload_params: true\nSTEPS: 3\nDDP: False\n"
    remark = next(r for r in plan(text, registry).remarks if r.startswith("not used"))
    for part in ("r (read by LoRA of adapt-peft-ssf", "bnb_4bit_quant_type", "fsdp_offload_params", "STEPS (no effect"):
        assert part in remark
    assert "DDP" not in remark
    assert "load_in_8bit" not in remark
    assert "not used by this run" in problems(text, registry, strict=True)


def test_unused_keys_with_the_same_readers_are_listed_together() -> None:
    """A starter config of LoRA run with another method has eight of them."""
    remarks = plan("r: 8\nalpha: 16\nSTEPS: 3\n", fakes.registry(adapt_tasks=[fakes.task()])).remarks
    remark = next(r for r in remarks if r.startswith("not used"))
    assert remark.startswith("not used by this run: r, alpha (read by LoRA of adapt-peft-ssf")
    assert remark.count("read by") == 1


def test_a_key_in_the_words_of_another_library_is_answered_with_adapt_s() -> None:
    found = problems("learning_rate: 1e-4\nnum_train_epochs: 3\noptim: sgd\n").splitlines()
    assert [line.rpartition("unknown key. ")[2] for line in found] == [
        "Here it is LR.",
        "Here it is EPOCHS.",
        "Here it is OPTIMIZER.",
    ]
    known = declared_keys(Registry.discover())
    assert set(OTHER_NAMES) & known == set()
    assert {key for key in OTHER_NAMES.values() if key.casefold() not in known} == set()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("text_field: body", "Here it is input_column."),
        ("qlora: true", "Here it is method: LoRA with load_in_4bit: true."),
        ("ner: true", "Here it is TASK: text_classification with subtask: ner."),
        ("method: qlora", "Here it is LoRA with load_in_4bit: true."),
        ("method: QLoRA", "Here it is LoRA with load_in_4bit: true."),
        ("method: ia3", "Here it is peft with peft_name: IA3."),
        ("TASK: ner", "Here it is text_classification with subtask: ner."),
        ("TASK: token-classification", "Here it is text_classification with subtask: ner, pos or chunk."),
        ("TASK: detection", "Here it is object_detection."),
        ("TASK: text_clasification", "Did you mean text_classification?"),
    ],
)
def test_a_word_of_another_tool_is_answered_with_adapt_s(text: str, hint: str) -> None:
    base = "MODEL_PATH: m\n" if text.startswith("TASK") else "TASK: text_classification\nMODEL_PATH: m\n"
    assert hint in problems(text, Registry.discover(), base=base)


def test_names_of_other_tools_are_not_adapt_s_own() -> None:
    registry = Registry.discover()
    assert not {*OTHER_TASKS, *SETTINGS} & {*declared_keys(registry), *map(str.casefold, registry.tasks.names())}
    assert not set(OTHER_METHODS) & {name.casefold() for name in registry.methods.names()}


def test_a_key_without_effect_is_not_suggested() -> None:
    assert "LOGGING_STRATEGY" not in problems("LEARNING_STRATEGY: 1\n")


def test_an_unknown_name_shows_the_nearest() -> None:
    assert "Did you mean words?" in problems("", base=MINIMAL.replace("words", "word"))
    assert "Did you mean LoRA?" in problems("method: Lora2\n")


# --- names of the previous tool ------------------------------------------------------------------------------------


@pytest.mark.parametrize("subtask", ["summarization", "translation"])
def test_seq2seq_tasks_means_its_subtask(subtask: str) -> None:
    base = MINIMAL.replace("words", "Seq2Seq_tasks") + f"subtask: {subtask}\n"
    assert plan("", base=base).task.name == subtask


def test_seq2seq_tasks_without_subtask_is_an_error() -> None:
    assert "needs subtask" in problems("", base=MINIMAL.replace("words", "Seq2Seq_tasks"))


@pytest.mark.parametrize(
    ("line", "resume"),
    [
        ("RESUME_FROM_CHECKPOINT: True", "auto"),
        ("resume: auto", "auto"),
        ("resume: false", None),
        ("RESUME_FROM_CHECKPOINT: runs/a/checkpoints/checkpoint-5", "runs/a/checkpoints/checkpoint-5"),
        ("", None),
    ],
)
def test_resume_has_two_spellings_and_three_values(line: str, resume: str | None) -> None:
    assert plan(f"{line}\n").resume == resume


def test_the_resume_switch_of_the_command_line_wins() -> None:
    assert plan("", resume=True).resume == "auto"


@pytest.mark.parametrize(
    "name",
    [
        "doc_summarization.yaml",
        "image_classification.yml",
        "question_answering.yml",
        "summarization.yml",
        "text_classification.yml",
        "text_generation.yml",
        "translation.yml",
    ],
)
def test_every_legacy_config_resolves_once_data_and_model_are_set(shared: Any, name: str) -> None:
    sets = ["DATASET=", "CUSTOM_DATASET_PATH=./data", "MODEL_PATH=./model"]
    if find_spec("bitsandbytes") is None:  # core alone, without the package of text_generation.yml's optimizer
        sets.append("OPTIMIZER=adamw_torch")
    config = RunConfig.read(shared / "legacy_configs" / name, sets)
    resolved = resolve(config, fakes.registry_with_all())
    assert resolved.task.name in {"image_classification", name.partition(".")[0].removeprefix("doc_")}
    assert resolved.method.name == ("LoRA" if name == "doc_summarization.yaml" else "full")
    assert not any("unknown" in remark for remark in resolved.remarks)


# --- names that a task declares -------------------------------------------------------------------------------------


@attrs.frozen
class LibraryParams:
    """Parameters of a task that declares a name which is another spelling of a key elsewhere."""

    library: str | None = param(None, "The shelf that the words are on.")
    resume: int = param(0, "The word to begin at.")


def test_a_name_that_the_task_declares_is_no_other_spelling_of_another_key() -> None:
    registry = fakes.registry(adapt_tasks=[fakes.task(params=LibraryParams)])
    found = plan("library: upstairs\nresume: 7\n", registry)
    assert found.task.params == LibraryParams(library="upstairs", resume=7)
    assert found.run.resume_from_checkpoint is False
