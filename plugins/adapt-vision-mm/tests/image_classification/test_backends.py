"""The backend and model that a config means, and the effect of each parameter of the task."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapt_core import api
from adapt_core.errors import InputError

Run = Callable[..., Any]


@pytest.fixture
def chosen(keys: dict[str, Any]) -> Callable[..., Any]:
    """The backend of a config with changes; no torch, no model."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.plugin.registry import Registry

    from adapt_vision_mm.image_classification.backends.choice import choose_backend

    def backend(**changes: Any) -> Any:
        bare = {"MODEL_PATH": None, "model_type": None, "image_processor_path": None}
        return choose_backend(resolve(RunConfig.read({**keys, **bare, **changes}), Registry.discover()))

    return backend


@pytest.fixture
def prepared(keys: dict[str, Any]) -> Callable[..., Any]:
    """Task, data and loaded model of a config with changes."""
    from adapt_core.config.resolver import RunConfig, resolve
    from adapt_core.distributed.world import World
    from adapt_core.nn.random_state import seed_everything
    from adapt_core.plugin.registry import Registry

    from adapt_vision_mm.image_classification.task import ImageClassification

    def prepare(**changes: Any) -> Any:
        task = ImageClassification(resolve(RunConfig.read({**keys, **changes}), Registry.discover()))
        task.check()
        data = task.load_data()
        seed_everything(42)
        return task, data, task.load_model(data, None, World())

    return prepare


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


# --- weights -----------------------------------------------------------------------------------------------------


def test_load_model_asks_for_published_weights(
    prepared: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    caplog.set_level(logging.WARNING)
    prepared()
    assert "resnet10t starts from random weights: load_model is false" in caplog.text
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


# --- images into the model ---------------------------------------------------------------------------------------


def test_a_model_s_own_size_mean_and_std(prepared: Run) -> None:
    task, data, _ = prepared(image_processor_path=None)
    assert tuple(data.validation[0]["pixel_values"].shape) == (3, 176, 176)
    assert task.transforms.evaluate.transforms[-1].mean.tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_image_processor_path_replaces_them_and_is_saved(run: Run, tmp_path: Path) -> None:
    from transformers import ViTImageProcessor

    folder = tmp_path / "processor"
    ViTImageProcessor(size={"height": 48, "width": 40}, image_mean=[0.1] * 3, image_std=[0.2] * 3).save_pretrained(
        folder
    )
    run(image_processor_path=str(folder))
    saved = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["pretrained_cfg"]
    assert saved["input_size"] == [3, 48, 40]
    assert (saved["mean"], saved["std"]) == ([0.1] * 3, [0.2] * 3)
    with pytest.raises(InputError, match="image_processor_path: nowhere is neither a directory nor a hub id"):
        run(image_processor_path="nowhere", OVERWRITE_OUTPUT_DIR=True)


def test_a_network_of_one_size_is_built_for_another(run: Run, tmp_path: Path) -> None:
    import timm

    vit = {"MODEL_PATH": "vit_tiny_patch16_224", "model_type": None}
    torch.save(timm.create_model("vit_tiny_patch16_224").state_dict(), tmp_path / "vit.pth")
    run(**vit, LOCAL_MODEL_PATH=str(tmp_path / "vit.pth"), MAX_STEPS=1)
    saved = timm.create_model(f"local-dir:{tmp_path / 'run' / 'model'}", pretrained=True)
    assert tuple(saved.pos_embed.shape) == (1, 5, 192)


def test_the_default_processor_serves_a_model_without_one(run_hf: Run, tiny_vit: Path, tmp_path: Path) -> None:
    import shutil

    bare = Path(shutil.copytree(tiny_vit, tmp_path / "bare"))
    (bare / "preprocessor_config.json").unlink()
    run_hf(MODEL_PATH=str(bare))
    saved = json.loads((tmp_path / "run" / "model" / "preprocessor_config.json").read_text())
    assert saved["size"] == {"shortest_edge": 32}
    assert saved["image_mean"] == [0.485, 0.456, 0.406]


def test_processor_and_timm_transform_agree(prepared: Run, pictures: Path) -> None:
    from PIL import Image
    from transformers import ViTImageProcessor

    from adapt_vision_mm.image_classification.backends.hugging_face.preprocessing import processor_transforms
    from adapt_vision_mm.image_classification.backends.timm.preprocessing import processor_config, timm_transforms

    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    image = Image.open(pictures / "train" / "red" / "0.jpg")
    one = processor_transforms(processor, augmentation=False).evaluate(image)
    other = timm_transforms(processor_config(processor, "x"), augmentation=False).evaluate(image)
    assert torch.allclose(one, other, atol=0.02)
    for make in (
        processor_transforms(processor, augmentation=True),
        timm_transforms(processor_config(processor, "x"), augmentation=True),
    ):
        assert make.train(image).shape == (3, 32, 32)


# --- training parameters that images change ----------------------------------------------------------------------


def test_class_weights_change_the_loss(run: Run, tmp_path: Path) -> None:
    plain = run(DO_TRAIN=False).metrics["before"]["loss"]
    weighted = {"blue": 10, "green": 1, "red": 1}
    changed = run(CLASS_WEIGHTS=weighted, LOGGING_STEPS=1, OVERWRITE_OUTPUT_DIR=True)
    assert changed.metrics["before"]["loss"] != pytest.approx(plain, rel=1e-3)
    with pytest.raises(InputError, match="CLASS_WEIGHTS must name each class once; missing: red"):
        run(CLASS_WEIGHTS={"blue": 1, "green": 1}, OVERWRITE_OUTPUT_DIR=True)


def test_flash_attention_is_not_used_where_it_cannot_be_and_said(
    run_hf: Run, caplog: pytest.LogCaptureFixture, no_flash: str
) -> None:
    caplog.set_level(logging.WARNING)
    run_hf(flash_attention2=True, MAX_STEPS=1)
    assert no_flash in caplog.text


def test_gradient_checkpointing_gives_the_same_gradients(run: Run, tmp_path: Path) -> None:
    vit = {"MODEL_PATH": "vit_tiny_patch16_224", "model_type": None, "image_processor_path": None}
    settings = {**vit, "MAX_STEPS": 1, "MAX_TRAIN_SAMPLES": 8, "DO_EVAL": False, "OPTIMIZER": "sgd", "LR": 0.1}
    files = []
    for name, on in (("off", False), ("on", True)):
        run(**settings, GRADIENT_CHECKPOINTING=on, OUTPUT_DIR=str(tmp_path / name))
        files.append(load_file(tmp_path / name / "model" / "model.safetensors"))
    assert all(torch.allclose(files[0][name], files[1][name], atol=1e-6) for name in files[0])


def test_gradient_checkpointing_is_switched_on_or_refused(prepared: Run) -> None:
    _, _, loaded = prepared(GRADIENT_CHECKPOINTING=True)
    assert loaded.model.grad_checkpointing is True
    with pytest.raises(InputError, match=r"GRADIENT_CHECKPOINTING: timm's .* does not support it"):
        prepared(GRADIENT_CHECKPOINTING=True, MODEL_PATH="inception_v4", model_type=None)


def test_memory_of_recomputed_activations_is_foretold(keys: dict[str, Any]) -> None:
    vit = {**keys, "MODEL_PATH": "vit_tiny_patch16_224", "model_type": None, "image_processor_path": None}
    kept = []
    for on in (False, True):
        memory = api.estimate(api.check({**vit, "GRADIENT_CHECKPOINTING": on})).memory
        assert memory is not None
        assert memory.activations is not None
        kept.append(memory.activations)
    inputs_of_blocks = 12 * 8 * 197 * 192 * 4
    one_block = (kept[0] - inputs_of_blocks) / 12
    assert kept[1] == pytest.approx(inputs_of_blocks + one_block, rel=0.3)


def test_group_by_length_has_no_effect_and_is_said(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run(GROUP_BY_LENGTH=True, MAX_STEPS=1)
    assert "GROUP_BY_LENGTH has no effect on images" in caplog.text
