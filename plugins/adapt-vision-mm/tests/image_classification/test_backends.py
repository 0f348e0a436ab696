"""The backend that a config means, and the weights that it loads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapt_core.errors import InputError

Run = Callable[..., Any]

_THIRD_BACKEND = """
class ThirdBackend:
    library = "third"

    def __init__(self, plan, model):
        self.config = model.config

    def check_keys(self):
        pass
"""


# --- the rule ----------------------------------------------------------------------------------------------------


def test_the_default_is_densenet121_of_timm(chosen: Run) -> None:
    backend = chosen()
    assert backend.library == "timm"
    assert (backend.reference.architecture, backend.reference.source) == ("densenet121", None)


@pytest.mark.parametrize(
    ("given", "library"),
    [
        ({"MODEL_PATH": "vit_small_patch16_224.augreg_in1k"}, "timm"),
        ({"MODEL_PATH": "timm/resnet18.a1_in1k"}, "timm"),
        ({"MODEL_PATH": "hf-hub:someone/net"}, "timm"),
        ({"MODEL_PATH": "timm/resnet18.a1_in1k", "FRAMEWORK": "Huggingface"}, "huggingface"),
        ({"MODEL_PATH": "google/vit-base-patch16-224"}, "huggingface"),
        ({"MODEL_PATH": "someone/net", "FRAMEWORK": "Timm"}, "timm"),
        ({"MODEL_PATH": "someone/net", "Library": "timm"}, "timm"),
        ({"MODEL_PATH": "densenet121", "FRAMEWORK": "Huggingface"}, "timm"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else value,
)
def test_names_and_framework_decide(chosen: Run, given: dict[str, str], library: str) -> None:
    assert chosen(**given).library == library


def test_a_folder_says_itself_what_it_is(chosen: Run, tiny_vit: Path, tmp_path: Path) -> None:
    assert chosen(MODEL_PATH=str(tiny_vit)).library == "huggingface"
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text('{"architecture": "resnet10t"}')
    assert chosen(MODEL_PATH=str(tmp_path / "net")).reference.architecture == "resnet10t"
    with pytest.raises(InputError, match="FRAMEWORK: timm contradicts"):
        chosen(MODEL_PATH=str(tiny_vit), FRAMEWORK="timm")
    (tmp_path / "net" / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"has neither model_type \(huggingface\) nor architecture \(timm\)"):
        chosen(MODEL_PATH=str(tmp_path / "net"))


def test_model_type_names_the_architecture_of_a_file_and_must_agree(
    chosen: Run, tiny_vit: Path, tmp_path: Path
) -> None:
    file = tmp_path / "net.pth"
    file.touch()
    assert chosen(MODEL_PATH=str(file), model_type="resnet10t_timm").reference.architecture == "resnet10t"
    assert chosen(LOCAL_MODEL_PATH=str(file), MODEL_PATH="resnet18").reference.architecture == "resnet18"
    with pytest.raises(InputError, match="weights need one"):
        chosen(MODEL_PATH=str(file))
    with pytest.raises(InputError, match="model_type: vit_timm contradicts the timm architecture resnet18"):
        chosen(MODEL_PATH="resnet18", model_type="vit_timm")
    with pytest.raises(InputError, match="which is a Hugging Face model"):
        chosen(MODEL_PATH=str(tiny_vit), model_type="vit_timm")


def test_model_type_must_be_that_of_a_hugging_face_config(run_hf: Run) -> None:
    with pytest.raises(InputError, match=r"model_type: swin contradicts .* which is a vit"):
        run_hf(model_type="swin")


def test_an_unknown_architecture_shows_the_nearest(prepared: Run) -> None:
    with pytest.raises(InputError, match=r"timm has no architecture 'resnet10x'. Did you mean .*resnet10t"):
        prepared(MODEL_PATH="resnet10x", model_type=None)


def test_a_further_library_is_a_class_and_a_line_of_the_table(
    chosen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapt_vision_mm.image_classification.backends import choice
    from adapt_vision_mm.image_classification.backends.libraries import LIBRARIES, Library

    (tmp_path / "third_library.py").write_text(_THIRD_BACKEND)
    third = Library(
        name="third", backend="third_library:ThirdBackend", config_key="third_kind", hub_prefixes=("third/",)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(choice, "LIBRARIES", (*LIBRARIES, third))
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text('{"third_kind": "wide"}')
    assert chosen(MODEL_PATH=str(tmp_path / "net")).config == {"third_kind": "wide"}
    assert chosen(MODEL_PATH="third/net").library == "third"
    assert chosen(MODEL_PATH="someone/net").library == "huggingface"


# --- weights -----------------------------------------------------------------------------------------------------


def test_load_model_asks_for_published_weights(
    prepared: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    caplog.set_level(logging.WARNING)
    prepared()
    assert "resnet10t starts from random weights: load_model is false" in caplog.text
    assert "--set load_model=true loads the weights that timm publishes" in caplog.text
    assert "nothing to adapt" not in caplog.text
    prepared(method="last_layer")
    assert "Method last_layer leaves most of them random: there is nothing to adapt" in caplog.text
    with pytest.raises(InputError, match=r"load_model: the published weights of resnet10t are not in the cache"):
        prepared(load_model=True)
    with pytest.raises(InputError, match="timm publishes no weights of efficientnet_b8"):
        prepared(load_model=True, MODEL_PATH="efficientnet_b8", model_type=None)


def test_local_weights_keep_the_base_and_make_a_new_head(prepared: Run, tmp_path: Path) -> None:
    import timm

    torch.manual_seed(5)
    other = timm.create_model("resnet10t", num_classes=10)
    torch.save({"state_dict": {f"module.{name}": t for name, t in other.state_dict().items()}}, tmp_path / "net.pth")
    _, _, loaded = prepared(LOCAL_MODEL_PATH=str(tmp_path / "net.pth"))
    assert loaded.new_parameters == {"fc.weight", "fc.bias"}
    mine = loaded.model.state_dict()
    assert all(torch.equal(mine[name], t) for name, t in other.state_dict().items() if not name.startswith("fc."))


def test_weights_of_another_architecture_are_refused(prepared: Run, tmp_path: Path) -> None:
    import timm

    save_file(timm.create_model("resnet18").state_dict(), str(tmp_path / "net.safetensors"))
    with pytest.raises(InputError, match=r"tensors of the model are missing or have another shape \(the first: "):
        prepared(LOCAL_MODEL_PATH=str(tmp_path / "net.safetensors"))
    (tmp_path / "net.pth").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"net\.pth"):
        prepared(LOCAL_MODEL_PATH=str(tmp_path / "net.pth"))


def test_real_imagenet_weights_load_by_order_when_told_to(
    prepared: Run, imagenet: str, caplog: pytest.LogCaptureFixture
) -> None:
    lite = {"MODEL_PATH": "tf_efficientnet_lite0", "model_type": None, "image_processor_path": None}
    with pytest.raises(InputError, match="--set load_by_order=true"):
        prepared(**lite, LOCAL_MODEL_PATH=imagenet)
    caplog.set_level(logging.WARNING)
    task, _, loaded = prepared(**lite, LOCAL_MODEL_PATH=imagenet, load_by_order=True)
    assert "_conv_stem.weight as conv_stem.weight" in caplog.text
    assert loaded.new_parameters == {"classifier.weight", "classifier.bias"}
    assert task.transforms.evaluate.transforms[-1].mean.tolist() == [0.5, 0.5, 0.5]


def test_model_checkpoint_goes_on_from_an_earlier_run(run: Run, tmp_path: Path) -> None:
    first = run(EPOCHS=2)
    again = run(DO_TRAIN=False, MODEL_CHECKPOINT=str(tmp_path / "run" / "model"), OUTPUT_DIR=str(tmp_path / "again"))
    assert again.metrics["before"] == pytest.approx(first.metrics["after"], abs=1e-6)


def test_a_checkpoint_of_a_bare_backbone_goes_under_the_head(
    prepared: Run, hf_keys: dict[str, Any], tiny_vit: Path, tmp_path: Path
) -> None:
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(7)
    other = ViTModel(ViTConfig.from_pretrained(tiny_vit), add_pooling_layer=False)
    torch.save(other.state_dict(), tmp_path / "vit.pth")
    _, _, loaded = prepared(**{**hf_keys, "MODEL_CHECKPOINT": str(tmp_path / "vit.pth")})
    assert loaded.new_parameters == {"classifier.weight", "classifier.bias"}
    mine = loaded.model.state_dict()
    assert all(torch.equal(mine[f"vit.{name}"], tensor) for name, tensor in other.state_dict().items())


def test_a_saved_timm_folder_is_a_model_again(run: Run, tmp_path: Path) -> None:
    first = run(EPOCHS=2)
    again = run(
        DO_TRAIN=False,
        MODEL_PATH=str(tmp_path / "run" / "model"),
        image_processor_path=None,
        OUTPUT_DIR=str(tmp_path / "b"),
    )
    assert again.metrics["before"] == pytest.approx(first.metrics["after"], abs=1e-6)


def test_dtype_holds_the_weights_in_half(run: Run, run_hf: Run, tmp_path: Path) -> None:
    run(DTYPE="bfloat16")
    assert load_file(tmp_path / "run" / "model" / "model.safetensors")["fc.weight"].dtype is torch.bfloat16
    run_hf(DTYPE="bfloat16", OVERWRITE_OUTPUT_DIR=True)
