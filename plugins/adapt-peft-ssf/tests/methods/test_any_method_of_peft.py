"""The method `peft` reaches what peft ships beyond LoRA and DoRA."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn

import adapt_core
from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError

from ..models import CASES, logits, train
from adapt_peft_ssf.methods.any_peft import AnyPeft
from adapt_peft_ssf.methods.peft_needs import METHODS, OPTIONS
from adapt_peft_ssf.params import AnyPeftParams

NAMED = [
    ("IA3", {}),
    ("LoHa", {"r": 4}),
    ("LOKR", {"r": 4}),
    ("vera", {"r": 8}),
    ("OFT", {"oft_block_size": 8, "r": 0}),
    ("LORA", {"r": 4, "init_lora_weights": "gaussian"}),
    ("BOFT", {"boft_block_size": 4}),
    ("RANDLORA", {"r": 4}),
    ("LN_TUNING", {}),
]


@pytest.mark.parametrize(("name", "options"), NAMED, ids=[name for name, _ in NAMED])
def test_it_trains_loads_again_and_merges(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    case = CASES["bert"]
    method = AnyPeft(AnyPeftParams(peft_name=name, peft_options=options, target_modules=("query", "value")))
    model = method.attach(case.seeded(), case.context)
    losses = train(model, case.inputs(), steps=8)
    assert losses[-1] < losses[0]
    unmerged = logits(model, case.inputs())
    method.save_adapter(model, tmp_path)
    base = case.seeded()
    torch.manual_seed(77)  # what loading draws is not what the run drew
    loaded = PeftModel.from_pretrained(base, str(tmp_path)).eval()
    assert (logits(loaded, case.inputs()) - unmerged).abs().max() < 1e-6
    merged = method.merge(model, None).eval()
    assert (logits(merged, case.inputs()) - unmerged).abs().max() <= 1e-4 * unmerged.abs().max()


def attach(**values: Any) -> Any:
    return AnyPeft(AnyPeftParams(**values)).attach(CASES["bert"].seeded(), CASES["bert"].context)


def test_options_reach_peft_and_target_modules_is_resolved_as_elsewhere() -> None:
    model = attach(peft_name="LOHA", peft_options={"r": 3}, target_modules=("query",))
    assert model.peft_config["default"].r == 3
    with pytest.raises(InputError, match="matches no module"):
        attach(peft_name="IA3", target_modules=("querry",))
    with pytest.raises(InputError, match="auto_select_modules"):
        attach(peft_name="IA3", auto_select_modules=False)


def test_what_peft_does_not_have_is_refused_with_what_it_has() -> None:
    with pytest.raises(InputError, match=r"'IA4' is not a method of peft .*IA3"):
        attach(peft_name="IA4")
    with pytest.raises(InputError, match="peft_name: is not given"):
        attach()
    with pytest.raises(InputError, match="not a method of peft that adapts layers"):
        attach(peft_name="PROMPT_TUNING")
    with pytest.raises(InputError, match="has no option 'rr'"):
        attach(peft_name="LOHA", peft_options={"rr": 3})
    with pytest.raises(InputError, match="adapt sets it"):
        attach(peft_name="LOHA", peft_options={"target_modules": ["x"]})
    with pytest.raises(InputError, match="Use method LoRA or DoRA, which take this start"):
        attach(peft_name="LORA", peft_options={"init_lora_weights": "pissa_niter_4"})
    for start in ("lora_ga", "eva", "corda", "loftq"):
        with pytest.raises(InputError, match=f"init_lora_weights: {start} needs a preparation.*Use method LoRA"):
            attach(peft_name="LORA", peft_options={"init_lora_weights": start})


@pytest.mark.parametrize("name", sorted(METHODS))
def test_methods_that_need_more_than_construction_are_refused_with_what_to_use(name: str) -> None:
    with pytest.raises(InputError, match=rf"peft_name: {name} is not taken: .*\. Use method LoRA"):
        attach(peft_name=name)


@pytest.mark.parametrize(("name", "option"), [(name, option) for name in OPTIONS for option in OPTIONS[name]])
def test_options_that_do_nothing_are_refused(name: str, option: str) -> None:
    if option in ("peft_type", "task_type", "inference_mode"):
        pytest.skip("adapt sets it, and says so")
    with pytest.raises(InputError, match=f"{option} of {name} is without effect: "):
        attach(peft_name=name, peft_options={option: 3})
    with pytest.raises(InputError, match="fan_in_fan_out of"):
        attach(peft_name="VERA", peft_options={"fan_in_fan_out": True})


TRAINED = {
    "BOFT": {"boft_block_size": 4},
    "C3A": {"block_size": 16},
    "FOURIERFT": {"n_frequency": 40},
    "MISS": {"r": 8},
    "OFT": {"oft_block_size": 8, "r": 0},
    "RANDLORA": {"r": 4},
    "ROAD": {"group_size": 8},
    "SHIRA": {"r": 4},
    "UNILORA": {"theta_d_length": 64},
    "VBLORA": {"num_vectors": 8, "vector_length": 8},
    "WAVEFT": {"n_frequency": 40},
}
"""Methods whose defaults are for wider layers -> options for small ones."""
ADAPTING = sorted(
    str(kind.value)
    for kind, made in PEFT_TYPE_TO_CONFIG_MAPPING.items()
    if "target_modules" in inspect.signature(made).parameters and kind.value not in METHODS
)


@pytest.mark.parametrize("name", ADAPTING)
def test_every_other_method_moves_and_is_loaded_as_it_was_trained(name: str, tmp_path: Path) -> None:
    case = CASES["bert"]
    made = AnyPeft(AnyPeftParams(peft_name=name, peft_options=TRAINED.get(name), target_modules=("query", "value")))
    torch.manual_seed(1)
    try:
        model = made.attach(case.seeded(), case.context)
    except InputError as error:
        assert "needs a package that is not installed" in str(error)  # noqa: PT017 - one of two right answers
        pytest.skip(str(error))
    with torch.no_grad(), made.disable_adapter(model.eval()):
        assert (logits(model, case.inputs()) - logits(case.seeded(), case.inputs())).abs().max() < 1e-6
    train(model, case.inputs(), steps=6)
    trained = logits(model, case.inputs())
    with made.disable_adapter(model):
        assert not torch.equal(logits(model, case.inputs()), trained), "the adapter does nothing"
    made.save_adapter(model, tmp_path)
    base = case.seeded()
    torch.manual_seed(77)
    loaded = PeftModel.from_pretrained(base, str(tmp_path)).eval()
    assert (logits(loaded, case.inputs()) - trained).abs().max() < 1e-5


NOT_CHECKED_BY_PEFT = {
    "TINYLORA": "cannot be attached to this model: KeyError: '0'",
}
"""Method of peft that does not check what it is given -> what the error says of a convolution."""
SMALL = {"BOFT": {"boft_block_size": 4}, "OFT": {"oft_block_size": 4}}
CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "tried": lambda: nn.Conv2d(8, 8, 3, padding=1),
    "not tried": lambda: nn.ConvTranspose2d(8, 8, 3, padding=1),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("name", sorted(kind.value for kind in PEFT_TYPE_TO_CONFIG_MAPPING))
def test_whatever_a_method_of_peft_raises_for_a_convolution_is_an_error_of_the_config(name: str, kind: str) -> None:
    model = nn.Sequential(CONVOLUTIONS[kind](), nn.Conv2d(8, 3, 1))
    made = AnyPeft(AnyPeftParams(peft_name=name, target_modules=("0",), peft_options=SMALL.get(name)))
    said = None
    try:
        made.attach(model, AttachContext(head=("1",)))
    except InputError as error:
        said = str(error)
    assert NOT_CHECKED_BY_PEFT.get(name, "") in (said or "")


def test_a_whole_run_with_ia3(tiny_encoder: Path, inbox: Path, tmp_path: Path) -> None:
    pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
    result = adapt_core.run(
        {
            "TASK": "text_classification",
            "MODEL_PATH": str(tiny_encoder),
            "CUSTOM_DATASET_PATH": str(inbox),
            "OUTPUT_DIR": str(tmp_path / "run"),
            "method": "peft",
            "peft_name": "IA3",
            "peft_options": {"init_ia3_weights": True},
            "MAX_STEPS": 4,
            "NUM_WORKERS": 0,
            "MAX_EVAL_SAMPLES": 16,
        }
    )
    assert result.training_check["verdict"] == "learned"
    assert result.merge["relative_difference"] <= 1e-5


def test_what_cannot_be_merged_leaves_the_adapter_alone(
    tiny_encoder: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("adapt_nlp", reason="needs adapt-nlp")
    from adapt_peft_ssf.methods import peft_models

    def refuse(model: Any, quantizer: Any) -> Any:
        raise NotImplementedError("this method has no merge")

    monkeypatch.setattr(peft_models, "merge", refuse)
    keys = {
        "TASK": "text_classification",
        "MODEL_PATH": str(tiny_encoder),
        "CUSTOM_DATASET_PATH": str(inbox),
        "OUTPUT_DIR": str(tmp_path / "run"),
        "method": "peft",
        "peft_name": "IA3",
        "MAX_STEPS": 4,
        "NUM_WORKERS": 0,
        "MAX_EVAL_SAMPLES": 16,
    }
    assert set(adapt_core.run(keys).artifacts) == {"adapter", "model card", "report"}
    assert "this method has no merge" in (tmp_path / "run" / "log.txt").read_text()
    with pytest.raises(InputError, match="this method has no merge"):
        adapt_core.run({**keys, "MERGE_ADAPTER": True, "OUTPUT_DIR": str(tmp_path / "asked")})
