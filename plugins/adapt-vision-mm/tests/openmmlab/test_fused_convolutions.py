"""FUSE_CONVOLUTIONS: evaluation computes convolution, batch norm and activation at once, to the same result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")

import torch
from mmcv.cnn import ConvModule
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from .detectors import SMALL_RTMDET
from adapt_vision_mm.openmmlab.fused_convolutions import FusedConvolutions, fused_convolutions

ACTIVATIONS = ["ReLU", "SiLU", "HSwish", "LeakyReLU", "Sigmoid", "Tanh", "GELU", None]
SHAPES = [{}, {"stride": 2}, {"dilation": 2, "padding": 2}, {"groups": 4}, {"kernel_size": 1, "padding": 0}]


class Counted(TorchDispatchMode):
    """Counts oneDNN's fused operations within the context."""

    fused = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.fused += "_convolution_pointwise" in str(operation)
        return operation(*args, **(kwargs or {}))


def block(activation: str | None = "ReLU", norm: str | None = "BN", **shape: Any) -> ConvModule:
    """A block in evaluation mode whose batch norm has seen something."""
    torch.manual_seed(0)
    sizes = {"in_channels": 4, "out_channels": 8, "kernel_size": 3, "padding": 1, **shape}
    act = None if activation is None else {"type": activation}
    made = ConvModule(**sizes, norm_cfg=None if norm is None else {"type": norm}, act_cfg=act)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    made.train()(torch.randn(4, 4, 9, 7))
    return made.eval()


def computed(model: nn.Module, features: torch.Tensor) -> tuple[torch.Tensor, int]:
    """What a model makes of features within the context, and how many fused operations that took."""
    with torch.no_grad(), fused_convolutions(model), Counted() as counted:
        found = model(features)
    return found, counted.fused


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("norm", ["BN", None])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_block_gives_what_its_parts_give_one_by_one(activation: str | None, norm: str | None, shape: Any) -> None:
    model, features = block(activation, norm, **shape), torch.randn(2, 4, 9, 7)
    found, fused = computed(model, features)
    with torch.no_grad():
        torch.testing.assert_close(found, model(features), rtol=1e-5, atol=1e-5)
    assert fused == 1


def test_a_convolution_by_itself_is_one_operation_too() -> None:
    model, features = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 1)).eval(), torch.randn(2, 4, 9, 7)
    found, fused = computed(model, features)
    with torch.no_grad():
        torch.testing.assert_close(found, model(features))
    assert fused == 2


@pytest.mark.parametrize("left_out", [{"activate": False}, {"norm": False}], ids=str)
def test_a_block_that_is_asked_for_less_gives_less(left_out: dict[str, bool]) -> None:
    model, features = block(), torch.randn(2, 4, 9, 7)
    with torch.no_grad():
        with fused_convolutions(model):
            found = model(features, **left_out)
        torch.testing.assert_close(found, model(features, **left_out), rtol=1e-5, atol=1e-5)


def hooked(model: ConvModule) -> ConvModule:
    model.conv.register_forward_hook(lambda module, inputs, output: output + 1)
    return model


def adapted(model: ConvModule) -> ConvModule:
    from peft.tuners.lora import Conv2d, LoraConfig

    model.conv = Conv2d(model.conv, "default", config=LoraConfig(init_lora_weights=False), r=2).eval()
    return model


CHANGED: dict[str, Callable[[], tuple[nn.Module, int]]] = {
    "order": lambda: (block(order=("act", "conv", "norm"), in_channels=4, out_channels=4), 1),
    "a mirrored border": lambda: (block(padding_mode="reflect"), 1),
    "a norm of the batch": lambda: (block().train(), 0),
    "a hook": lambda: (hooked(block()), 0),
    "an adapter": lambda: (adapted(block()), 3),
    "half precision": lambda: (block().bfloat16(), 0),
}
"""Blocks that do not fuse, and how many of their convolutions are still one operation."""


@pytest.mark.parametrize("change", CHANGED)
def test_what_is_unusual_computes_as_ever(change: str) -> None:
    model, expected = CHANGED[change]()
    features = torch.randn(2, 4, 9, 7).to(next(model.parameters()).dtype)
    found, fused = computed(model, features)
    with torch.no_grad():
        torch.testing.assert_close(found, model(features), rtol=1e-5, atol=1e-5)
    assert fused <= expected


def test_gradients_and_mixed_precision_are_as_ever() -> None:
    model, features = block(), torch.randn(2, 4, 9, 7)
    with fused_convolutions(model), Counted() as counted:
        model(features).sum().backward()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            mixed = model(features)
    assert (counted.fused, mixed.dtype) == (0, torch.bfloat16)
    assert model.conv.weight.grad is not None


def test_weights_that_trained_meanwhile_are_taken() -> None:
    model, features = block(), torch.randn(2, 4, 9, 7)
    computed(model, features)
    with torch.no_grad():
        model.conv.weight.mul_(2)
        model.bn.running_mean.add_(1)
        torch.testing.assert_close(computed(model, features)[0], model(features), rtol=1e-5, atol=1e-5)
    assert "forward" not in vars(model)


class Detector(nn.Module):
    """What of a detector the trial calls."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def data_preprocessor(self, batch: dict[str, Any], training: bool) -> dict[str, Any]:
        return {"inputs": torch.stack(batch["inputs"])}

    def extract_feat(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (self.features(images),)

    def val_step(self, batch: dict[str, Any]) -> list[torch.Tensor]:
        return list(self.extract_feat(self.data_preprocessor(batch, False)["inputs"]))


class Named(Detector):
    """A detector whose features have names."""

    def extract_feat(self, images: torch.Tensor) -> Any:
        return {"first": self.features(images)}

    def val_step(self, batch: dict[str, Any]) -> list[torch.Tensor]:
        return list(self.extract_feat(self.data_preprocessor(batch, False)["inputs"])["first"])


def test_features_with_names_fuse_too() -> None:
    model, batch = Named(block()).eval(), {"inputs": [torch.randn(4, 9, 7)]}
    with torch.no_grad(), FusedConvolutions(wanted=True).of(model, batch), Counted() as counted:
        model.val_step(batch)
    assert counted.fused == 1


class RowByRow(nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.view(features.shape[0], -1)


@pytest.mark.parametrize(("last", "fuses"), [(nn.Flatten(), True), (RowByRow(), False)], ids=["copies", "views"])
def test_a_model_that_needs_its_features_row_by_row_goes_on_without(
    caplog: pytest.LogCaptureFixture, last: nn.Module, fuses: bool
) -> None:
    model = Detector(nn.Sequential(block(), last)).eval()
    batch = {"inputs": [torch.randn(4, 9, 7), torch.randn(4, 9, 7)]}
    fusion = FusedConvolutions(wanted=True)
    with caplog.at_level(logging.INFO), torch.no_grad(), fusion.of(model, batch), Counted() as counted:
        model.val_step(batch)
    assert bool(counted.fused) is fuses
    assert ("FUSE_CONVOLUTIONS has no effect on this model: view size" in caplog.text) is not fuses


MODELS: dict[str, dict[str, Any]] = {
    "rtmdet_tiny_8xb32-300e_coco": {"cfg_options": SMALL_RTMDET},
    "retinanet_r18_fpn_1x_coco": {
        "backbone": "timm/resnet10t",
        "cfg_options": {
            "model.neck.out_channels": 32,
            "model.bbox_head.in_channels": 32,
            "model.bbox_head.feat_channels": 32,
        },
    },
}


@pytest.mark.parametrize("model", MODELS)
def test_a_run_scores_as_without_it(run: Callable[..., Any], tmp_path: Path, model: str) -> None:
    scores = [
        run(
            MODEL_PATH=model,
            **MODELS[model],
            METRIC_FOR_BEST="loss",
            MAX_STEPS=2,
            INTERVAL="no",
            FUSE_CONVOLUTIONS=fuse,
            OUTPUT_DIR=str(tmp_path / str(fuse)),
        ).metrics["after"]
        for fuse in (True, False)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4, abs=1e-4)
    assert scores[0]["loss"] > 0
