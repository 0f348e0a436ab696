"""The config language: owners, switches, types, and every error of a file at once, with its place."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import attrs
import pytest

from adapt_core.config.plan_json import plan_from_json, plan_to_json
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import ConfigError
from adapt_core.hf import HF_LOOP
from adapt_core.plugin.specs import LoopSpec

from .. import fakes
from .resolving import plan, problems


def test_keys_match_without_regard_to_case() -> None:
    resolved = plan("lr: 0.5\nEpOcHs: 3\nR: 4\nmethod: lora\n")
    assert (resolved.training.lr, resolved.training.epochs, resolved.method.params.r) == (0.5, 3.0, 4)


@pytest.mark.parametrize("empty", ["", "''", "null", "None", "'None'", "~"])
def test_every_way_to_say_nothing_means_not_given(empty: str) -> None:
    assert plan(f"LR: {empty}\nSEED: {empty}\n").training.lr == 1e-4


@pytest.mark.parametrize(
    ("written", "value"),
    [("true", True), ("False", False), ("yes", True), ("No", False), ("'True'", True), ('"no"', False), ("YES", True)],
)
def test_booleans_in_all_their_spellings(written: str, value: bool) -> None:
    assert plan(f"GRADIENT_CHECKPOINTING: {written}\n").training.gradient_checkpointing is value


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ("BATCH_SIZE: 8.0", "batch_size", 8),
        ("EPOCHS: 0.5", "epochs", 0.5),
        ("LR: 1e-4", "lr", 1e-4),
        ("LR: '3e-5'", "lr", 3e-5),
        ("OPTIMIZER: SGD", "optimizer", "sgd"),
        ("SEED: 0", "seed", 0),
    ],
)
def test_values_take_their_declared_type(line: str, attribute: str, value: object) -> None:
    read = getattr(plan(f"{line}\n").training, attribute)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("BATCH_SIZE: 8.5", "a whole number"),
        ("BATCH_SIZE: 0", "at least 1"),
        ("BATCH_SIZE: many", "a whole number"),
        ("BATCH_SIZE: true", "a whole number"),
        ("LR: -1", "at least 0"),
        ("LR: .nan", "a number"),
        ("LR: .inf", "a number"),
        ("LR: [1, 2]", "a number"),
        ("LR: {a: 1}", "a number"),
        ("BETA1: 1.0", "below 1"),
        ("DO_TRAIN: maybe", "true or false"),
        ("DO_TRAIN: 1", "true or false"),
        ("OPTIMIZER: adam", "must be one of"),
        ("SCHEDULER_TYPE: MultiStepLR", "must be one of"),
        ("SEED: 99999999999", "at most"),
        ("MODEL_PATH2: x", "unknown key"),
        ("DATA_SPLIT: 1.5", "below 1"),
        ("depth: 10", "at most 9"),
        ("cuda_id: gpu0", "numbers of GPUs"),
    ],
)
def test_a_wrong_value_names_place_key_and_what_was_expected(line: str, message: str) -> None:
    found = problems(f"{line}\n")
    assert found.startswith("c.yaml:4: ")
    assert line.partition(":")[0] in found
    assert message in found


def test_all_errors_of_a_file_come_together_in_its_order() -> None:
    found = problems("BATCHSIZE: 4\nLR: fast\ndepth: 99\nFULL_FINE_TUNING: true\nmethod: LoRA\nFOO_BAR_BAZ: 1\n")
    lines = found.splitlines()
    assert [line.split(":")[1] for line in lines] == ["4", "5", "6", "7", "9"]
    assert "Did you mean BATCH_SIZE?" in lines[0]
    assert "(core)" in lines[1]
    assert "(words)" in lines[2]
    assert "contradicts method LoRA (c.yaml:8)" in lines[3]


def test_at_most_eight_are_shown_and_the_rest_counted() -> None:
    with pytest.raises(ConfigError) as caught:
        plan("".join(f"NO_SUCH_{i}: 1\n" for i in range(12)))
    assert len(str(caught.value).splitlines()) == 9
    assert "and 4 more" in str(caught.value)


def test_a_key_given_twice_is_an_error_unless_one_is_empty_or_both_agree() -> None:
    assert plan("LR: 1\nlr: 1\n").training.lr == 1
    assert plan("model_type:\nLR: 0.1\nLR:\n").training.lr == 0.1
    found = problems("LR: 1\nlr: 2\n")
    assert "c.yaml:5" in found
    assert "c.yaml:4" in found


def test_an_override_takes_the_place_of_the_file() -> None:
    assert plan("LR: 1\n", None, "lr=2").training.lr == 2
    assert plan("LR: 1\n", None, "LR=").training.lr == 1e-4
    assert "--set: LR" in problems("", None, "LR=fast")


def test_sections_are_flattened_but_declared_mappings_are_values() -> None:
    resolved = plan(
        "TRAINING_ARGS:\n  LR: 0.25\n  DEEPER: {SEED: 7}\ncfg_options: {a: {b: 1}}\npalette: [[1, 2], [3]]\n"
    )
    assert (resolved.training.lr, resolved.training.seed) == (0.25, 7)
    assert resolved.task.params.options == {"a": {"b": 1}}
    assert resolved.task.params.palette == ((1, 2), (3,))


def test_a_method_s_section_is_read_only_when_it_runs() -> None:
    text = "LoRA_CONFIG: {r: 4, peft_type: LoRA}\nDoRA_CONFIG: {r: 32, alpha: 1}\n"
    assert plan(f"{text}method: DoRA\n").method.params == fakes.OtherRankParams(r=32, alpha=1)
    assert plan(f"{text}method: LoRA\n").method.params == fakes.RankParams(r=4)
    assert plan(text).method.name == "full"


def test_methods_may_share_a_name_with_different_defaults() -> None:
    assert plan("method: LoRA\n").method.params.r == 8
    assert plan("method: DoRA\n").method.params.r == 16


def test_a_task_may_override_the_default_of_a_core_key() -> None:
    assert plan("").data.max_train_samples == 1000
    assert plan("MAX_TRAIN_SAMPLES: 5\n").data.max_train_samples == 5


@pytest.mark.parametrize("spelling", ["method", "PEFT_METHOD", "peft_type"])
def test_method_has_three_spellings(spelling: str) -> None:
    assert plan(f"{spelling}: dora\n").method.name == "DoRA"


def test_three_spellings_are_one_key() -> None:
    assert plan("method: LoRA\nPEFT_METHOD:\npeft_type: lora\n").method.name == "LoRA"
    assert "given twice" in problems("method: LoRA\npeft_type: DoRA\n")


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("", "full"),
        ("FULL_FINE_TUNING: True\n", "full"),
        ("LAST_LAYER_TUNING: True\n", "last_layer"),
        ("FULL_FINE_TUNING: False\nLAST_LAYER_TUNING: False\n", "full"),
        ("method: last_layer\n", "last_layer"),
        ("method: LoRA\nLAST_LAYER_TUNING: True\n", "LoRA"),
        ("method: full\nFULL_FINE_TUNING: True\n", "full"),
    ],
)
def test_switches_choose_the_method(text: str, method: str) -> None:
    assert plan(text).method.name == method


def test_no_method_is_said_once() -> None:
    assert sum("no method is given" in remark for remark in plan("").remarks) == 1
    assert not any("no method" in remark for remark in plan("FULL_FINE_TUNING: yes\n").remarks)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: LoRA\nFULL_FINE_TUNING: True\n", "contradicts method LoRA"),
        ("FULL_FINE_TUNING: True\nLAST_LAYER_TUNING: True\n", "contradicts FULL_FINE_TUNING"),
        ("load_in_4bit: True\nload_in_8bit: True\nmethod: LoRA\n", "contradicts load_in_4bit"),
        ("DDP: True\nFSDP: True\n", "contradicts DDP"),
        ("launcher: local\nFSDP: True\n", "contradicts launcher"),
        ("load_in_4bit: True\n", "quantized weights cannot train"),
        ("FP16: True\nBF16: True\n", "contradicts FP16"),
        ("KEEP: best\nDO_EVAL: False\n", "needs evaluations"),
        ("EARLY_STOPPING_PATIENCE: 2\nINTERVAL: 'no'\n", "needs evaluations"),
        ("METRIC_FOR_BEST: rouge\n", "has no metric 'rouge'"),
        ("DATASET: imdb\n", "contradicts DATASET"),
        ("STEP_IN_BACKWARD: True\n", "cannot clip"),
        ("STEP_IN_BACKWARD: True\nGRADIENT_ACCUMULATION_STEPS: 2\n", "cannot accumulate"),
        ("STEP_IN_BACKWARD: True\nFP16: True\n", "contradicts FP16"),
        ("STEP_IN_BACKWARD: True\nDDP: True\n", "ddp exchanges gradients"),
        ("KEEP_ATTENTION: True\n", "GRADIENT_CHECKPOINTING keeps, which is off"),
        ("KEEP_ATTENTION: True\nGRADIENT_CHECKPOINTING: True\nFSDP: True\n", "fsdp recomputes them itself"),
        ("RECOMPUTE_MLP: True\nGRADIENT_CHECKPOINTING: True\n", "which recomputes whole blocks"),
        ("RECOMPUTE_MLP: True\nCOMPILE: True\n", "RECOMPUTE_MLP: is not known to compiled blocks"),
        ("RECOMPUTE_MLP: True\nLEAN_LAYERS: False\n", "LEAN_LAYERS keeps, which is off"),
        ("COMPILE: True\nFSDP: True\n", "cannot compile layers whose weights fsdp gathers"),
        ("LR: 0\nHEAD_LR: 0.1\n", "HEAD_LR: is kept as a multiple of LR, which is 0"),
    ],
)
def test_contradictions_are_errors(text: str, message: str) -> None:
    assert message in problems(text)


def test_a_step_in_the_backward_pass_is_for_transformers_trainer() -> None:
    registry = fakes.registry(adapt_tasks=[fakes.task(loop=attrs.evolve(HF_LOOP, name="mm"))])
    assert "transformers' Trainer" in problems("STEP_IN_BACKWARD: True\nMAX_GRAD_NORM: 0\n", registry)


@pytest.mark.parametrize(
    "text", ["COMPILE: True\n", "KEEP_ATTENTION: True\nGRADIENT_CHECKPOINTING: True\n", "RECOMPUTE_MLP: True\n"]
)
def test_compiled_and_recomputed_parts_are_for_transformers_trainer(text: str) -> None:
    registry = fakes.registry(adapt_tasks=[fakes.task(loop=attrs.evolve(HF_LOOP, name="mm"))])
    assert "transformers' Trainer" in problems(text, registry)


def test_switches_choose_quantizer_and_launcher() -> None:
    resolved = plan("load_in_4bit: True\nmethod: LoRA\nbnb_4bit_quant_type: FP4\nDDP: 'yes'\nnum_nodes: 2\n")
    assert resolved.quantizer is not None
    assert (resolved.quantizer.name, resolved.quantizer.params.quant_type) == ("bnb_4bit", "fp4")
    assert (resolved.launcher.name, resolved.launcher.params.num_nodes) == ("ddp", 2)


@pytest.mark.parametrize("text", ["", "launcher: none\n", "launcher: LOCAL\n", "DDP: False\nFSDP: False\n"])
def test_local_is_the_launcher_where_none_is_switched_on(text: str) -> None:
    assert plan(text).launcher.name == "local"


def test_a_launcher_that_does_not_serve_the_loop_is_refused() -> None:
    registry = fakes.registry(
        adapt_tasks=[fakes.task(loop=attrs.evolve(HF_LOOP, name="mm"))],
        adapt_launchers=fakes.ALL_HOOKS["adapt_launchers"],
    )
    assert "ddp serves hf loops" in problems("DDP: true\n", registry)


def test_optimizers_and_schedules_are_those_of_the_tasks_loop() -> None:
    own = LoopSpec(name="own", optimizers={"lion": None, "muon": "no_such_package"}, schedules=("linear", "staircase"))
    registry = fakes.registry(adapt_tasks=[fakes.task(loop=own)])
    training = plan("OPTIMIZER: Lion\nSCHEDULER_TYPE: staircase\n", registry).training
    assert (training.optimizer, training.scheduler_type) == ("lion", "staircase")
    assert "must be one of lion, muon" in problems("OPTIMIZER: sgd\n", registry)
    assert "must be one of linear, staircase" in problems("SCHEDULER_TYPE: cosine\n", registry)
    assert "pip install no_such_package" in problems("OPTIMIZER: muon\n", registry)


def test_missing_essentials_are_named() -> None:
    found = problems("", base="SEED: 1\n")
    assert "TASK is missing" in found
    assert "MODEL_PATH: no model is given" in found
    assert "no data is given" in found


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed here")
def test_an_optimizer_whose_package_is_missing_is_named_before_anything_starts() -> None:
    found = problems("OPTIMIZER: lion_8bit\n")
    assert "lion_8bit is in bitsandbytes" in found
    assert "pip install bitsandbytes" in found
    assert plan("OPTIMIZER: lion_8bit\nDO_TRAIN: no\n").training.optimizer == "lion_8bit"


# --- plans -------------------------------------------------------------------------------------------------------


def test_a_plan_survives_json() -> None:
    registry = fakes.registry_with_all()
    resolved = plan(
        "method: LoRA\nload_in_4bit: true\nDDP: true\npalette: [[1, 2]]\ncfg_options: {a: 1}\nFORMAT_NAMES: a, b\n"
        "resume: auto\n",
        registry,
    )
    assert plan_from_json(plan_to_json(resolved), registry) == resolved


def test_a_plan_of_another_version_is_refused() -> None:
    from adapt_core.errors import DefectError
    from adapt_core.plugin.registry import Provenance

    text = plan_to_json(plan(""))
    other = fakes.registry()
    other.add(fakes.plugin(**fakes.ALL_HOOKS), Provenance("tests", "adapt-tests", "3.0"))
    with pytest.raises(DefectError, match=r"adapt-tests 2\.0; here it is adapt-tests 3\.0"):
        plan_from_json(text, other)


def test_the_resolved_keys_give_the_same_plan_again() -> None:
    registry = fakes.registry_with_all()
    first = plan("method: DoRA\nalpha: 3\nload_in_8bit: yes\nFSDP: true\nLR: 0.01\nLAST_LAYER_TUNING: no\n", registry)
    config = RunConfig.read(first.keys())
    again = resolve(config, registry)
    assert again.keys() == first.keys()
    assert again.config_sha256 == first.config_sha256


def test_the_hash_ignores_where_results_go_but_not_what_is_computed() -> None:
    assert plan("OUTPUT_DIR: a\n").config_sha256 == plan("OUTPUT_DIR: b\n").config_sha256
    assert plan("LR: 1\n").config_sha256 != plan("LR: 2\n").config_sha256


@pytest.mark.parametrize(("found", "is_told"), [("1.5.2", True), ("1.6.0", False), ("2.0rc1", False)])
def test_folds_need_a_scikit_learn_that_shuffles_groups(
    found: str, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands before the installed one on the path, as a package of another version would."""
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").touch()
    (tmp_path / f"scikit_learn-{found}.dist-info").mkdir()
    metadata = f"Metadata-Version: 2.1\nName: scikit-learn\nVersion: {found}\n"
    (tmp_path / f"scikit_learn-{found}.dist-info" / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "FOLDS: 2\nFOLD: 3\n"
    told = problems(text)
    assert ("FOLDS: needs scikit-learn" in told) == is_told
    assert (f"scikit-learn 1.6 or later; {found} is installed" in told) == is_told
