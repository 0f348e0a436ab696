"""The schedule and loop parameters of the OpenMMLab tasks: what each does to the config that mmengine gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from adapt_core.distributed.world import World
from adapt_core.errors import ConfigError, InputError
from adapt_core.nn.weight_decay import keep_scales

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

from adapt_vision_mm.openmmlab import cfg_options
from adapt_vision_mm.openmmlab.detectors import pipelines
from adapt_vision_mm.openmmlab.optimizer import mixed_precision, optim_wrapper, refuse_impossible_amp


def wrapper(plan: Any, **more: Any) -> dict[str, Any]:
    return optim_wrapper(plan, more.pop("base", None), World(), more.pop("base_batch_size", 16))


def test_the_optimizer_and_its_parameters(plan: Any) -> None:
    made = wrapper(plan(WEIGHT_DECAY=0.05, BETA1=0.8, BETA2=0.9, ADAM_EPS=1e-6, MAX_GRAD_NORM=0.5))
    assert made["optimizer"] == {"type": "AdamW", "lr": 0.1, "weight_decay": 0.05, "betas": (0.8, 0.9), "eps": 1e-6}
    assert made["clip_grad"] == {"max_norm": 0.5}
    assert wrapper(plan(OPTIMIZER="sgd"))["optimizer"]["type"] == "SGD"
    assert wrapper(plan(OPTIMIZER="ademamix", BETA1=0.8))["optimizer"]["betas"] == (0.8, 0.999, 0.9999)
    assert wrapper(plan(MAX_GRAD_NORM=0))["clip_grad"] is None
    assert wrapper(plan(GRADIENT_ACCUMULATION_STEPS=3))["accumulative_counts"] == 3


def test_a_config_keeps_its_own_rates_for_parts_of_the_model(plan: Any) -> None:
    base = {"paramwise_cfg": {"custom_keys": {"backbone": {"lr_mult": 0.1}}}}
    assert wrapper(plan(), base=base)["paramwise_cfg"]["custom_keys"] == {"backbone": {"lr_mult": 0.1}}


def test_no_vector_decays_in_parts_with_rates_of_their_own_either(plan: Any) -> None:
    from mmengine.optim import build_optim_wrapper

    import adapt_vision_mm.openmmlab.weight_decay  # noqa: F401 - registers the constructor

    model = nn.ModuleDict(
        {
            "backbone": nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4)),
            "head": nn.Linear(4, 2),
            "adapter": nn.ParameterDict({"default": nn.Parameter(torch.ones(4, 1))}),
        }
    )
    keep_scales(model, ["adapter.default"])
    base = {"paramwise_cfg": {"custom_keys": {"backbone": {"lr_mult": 0.1}}}}
    built: Any = build_optim_wrapper(model, wrapper(plan(WEIGHT_DECAY=0.05), base=base))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {names[id(group["params"][0])]: group for group in built.optimizer.param_groups}
    assert {name for name, group in groups.items() if group["weight_decay"]} == {"backbone.0.weight", "head.weight"}
    assert groups["backbone.0.weight"]["lr"] == pytest.approx(0.01)
    assert len(groups) == len(names)


def test_auto_scale_lr_multiplies_by_the_batch_size(plan: Any) -> None:
    assert wrapper(plan(auto_scale_lr=True, BATCH_SIZE=8), base_batch_size=256)["optimizer"]["lr"] == 0.1 * 8 / 256
    assert wrapper(plan(BATCH_SIZE=8), base_batch_size=256)["optimizer"]["lr"] == 0.1
    with pytest.raises(InputError, match="auto_scale_lr: this config has no batch size"):
        wrapper(plan(auto_scale_lr=True), base_batch_size=None)


def test_amp_is_another_spelling_of_fp16(plan: Any) -> None:
    assert mixed_precision(plan(amp=True)) == "float16"
    assert mixed_precision(plan(amp=True, BF16=True)) == "bfloat16"
    assert mixed_precision(plan()) is None
    assert wrapper(plan(amp=True))["type"] == "AmpOptimWrapper"
    assert wrapper(plan(BF16=True))["type"] == "AutocastOptimWrapper"
    with pytest.raises(InputError, match="amp: float16 mixed precision needs a GPU"):
        refuse_impossible_amp(plan(amp=True), "cpu")


def test_cfg_options_change_the_config_and_wrong_paths_are_refused() -> None:
    from mmengine.config import Config

    config = Config({"model": {"test_cfg": {"score_thr": 0.1}}, "steps": [{"a": 1}]})
    cfg_options.apply(config, {"model.test_cfg.score_thr": 0.5, "steps": {"0": {"a": 2}}})
    assert config.model.test_cfg.score_thr == 0.5
    assert config.steps[0].a == 2
    for nothing in (True, False, None):
        cfg_options.apply(config, nothing)
    with pytest.raises(InputError, match=r"cfg_options: modell.x: the config has no 'modell'. Did you mean model\?"):
        cfg_options.apply(config, {"modell.x": 1})
    with pytest.raises(InputError, match=r"model has no 'test_cfgg'. Did you mean test_cfg\?"):
        cfg_options.apply(config, {"model.test_cfgg.score_thr": 1})


def test_a_transformer_is_not_asked_for_more_detections_than_it_has_queries() -> None:
    from adapt_vision_mm.openmmlab.model_config import fit_detections

    few = {"num_queries": 20, "test_cfg": {"max_per_img": 300}}
    many = {"num_queries": 900, "test_cfg": {"max_per_img": 300}}
    for model in (few, many, {"test_cfg": None}):
        fit_detections(model)
    assert few["test_cfg"] == {"max_per_img": 20}
    assert many["test_cfg"] == {"max_per_img": 300}


def test_image_size_and_augment_make_the_pipelines() -> None:
    config = {"test_pipeline": [{"type": "Resize", "scale": (1333, 800)}]}
    assert pipelines.image_size(config, None) == 1333
    assert pipelines.image_size(config, 320) == 320
    assert pipelines.image_size({}, None) == 640
    assert pipelines.testing(320, with_mask=False)[1]["scale"] == (320, 320)
    assert "RandomFlip" in {step["type"] for step in pipelines.augmented(320, with_mask=False, mirrors=True)}
    assert "RandomFlip" not in {step["type"] for step in pipelines.plain(320, with_mask=False)}


def test_annotation_files_are_looked_for_where_the_previous_tool_looked(plan: Any, tmp_path: Path) -> None:
    from adapt_vision_mm.annotations.sources import find_source

    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "boxes.json").write_bytes((tmp_path / "train.json").read_bytes())
    (tmp_path / "here" / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    for given in ("boxes.json", "here/boxes.json", str(tmp_path / "here" / "boxes.json")):
        source = find_source(plan(TRAIN_DIR="here", train_ann_file=given), "train")
        assert source is not None
        assert source.file == tmp_path / "here" / "boxes.json"
    source = find_source(plan(val_ann_file="other.json"), "val")
    assert source is not None
    assert source.file == tmp_path / "other.json"
    with pytest.raises(InputError, match=r"train_ann_file: nothing.json was not found"):
        plan(train_ann_file="nothing.json")


def test_an_unknown_config_is_answered_with_the_nearest_names(plan: Any) -> None:
    with pytest.raises(InputError, match="Did you mean rtmdet_tiny_8xb32-300e_coco"):
        plan(MODEL_PATH="rtmdet-tiny_8xb32-300e_coco")
    with pytest.raises(InputError, match=r"Did you mean yolov3_\S+, yolox_\S+, yolof_\S+\?"):
        plan(MODEL_PATH="yolov8n")


def test_what_makes_no_sense_is_refused_before_torch(plan: Any) -> None:
    with pytest.raises(InputError, match="save_pretrained is for Hugging Face models"):
        plan(SAVE_METHOD="save_pretrained")
    with pytest.raises(ConfigError, match="SCHEDULER_TYPE"):
        plan(SCHEDULER_TYPE="StepLR")
    with pytest.raises(InputError, match="backbone: write timm/NAME"):
        plan(backbone="resnet18")
    with pytest.raises(InputError, match=r"MODEL_CHECKPOINT: .*nothing.pth does not exist"):
        plan(MODEL_CHECKPOINT="nothing.pth")
