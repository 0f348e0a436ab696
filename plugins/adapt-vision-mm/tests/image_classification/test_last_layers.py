"""LAST_LAYERS: 2 trains the last block of the forward pass with the head, whatever stages a network has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from adapt_core.nn.structure import blocks, find_head, last_layers

STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 2, 1, 2]}
TRANSFORMER = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
SWIN = {"embed_dim": 8, "depths": [1, 2], "num_heads": [2, 2], "image_size": 32, "patch_size": 2, "window_size": 4}


def trained_share(model: nn.Module, count: int = 2) -> float:
    trained = last_layers(model, find_head(model), count)
    prefixes = tuple(f"{name}." for name in trained)
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    inside = sum(size for name, size in sizes.items() if name.startswith(prefixes) or name in trained)
    return inside / sum(sizes.values())


@pytest.mark.parametrize(
    ("name", "count", "last", "share"),
    [
        ("resnet18", 8, "layer4.1", 0.448),
        ("resnet50", 16, "layer4.2", 0.255),
        ("convnext_tiny", 18, "stages.3.blocks.2", 0.194),
        ("densenet121", 58, "features.denseblock4.denselayer16", 0.149),
        ("regnety_002", 13, "s4.b7", 0.233),
        ("efficientnet_b0", 16, "blocks.6.0", 0.455),
        ("mobilenetv2_050", 17, "blocks.6.0", 0.817),  # 65 % are the head, 21 % the convolution before it
        ("vit_tiny_patch16_224", 12, "blocks.11", 0.112),
        ("swin_tiny_patch4_window7_224", 12, "layers.3.blocks.1", 0.278),
        ("mobileone_s0", 42, "stages.3.1", 0.393),
        ("inception_v3", 9, "Mixed_7c", 0.341),
    ],
)
def test_the_last_block_of_a_timm_model(name: str, count: int, last: str, share: float) -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):  # shapes without weights
        model = timm.create_model(name)
    found = blocks(model, find_head(model))
    assert (len(found), found[-1]) == (count, last)
    assert trained_share(model) == pytest.approx(share, abs=1e-3)
    assert trained_share(model, 1) < trained_share(model) < trained_share(model, 3)


@pytest.mark.parametrize(
    ("kind", "options", "count", "last"),
    [
        ("resnet", {**STAGES, "embedding_size": 8}, 6, "resnet.encoder.stages.3.layers.1"),
        ("convnext", STAGES, 6, "convnext.encoder.stages.3.layers.1"),
        ("regnet", {**STAGES, "embedding_size": 8, "groups_width": 8}, 6, "regnet.encoder.stages.3.layers.1"),
        ("swin", SWIN, 3, "swin.encoder.layers.1.blocks.1"),
        ("vit", {**TRANSFORMER, "image_size": 32, "patch_size": 8}, 3, "vit.layers.2"),
        ("mobilenet_v2", {}, 16, "mobilenet_v2.layer.15"),
    ],
)
def test_the_last_block_of_a_hugging_face_model(kind: str, options: dict[str, Any], count: int, last: str) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(kind, num_labels=3, **options)
    model = transformers.AutoModelForImageClassification.from_config(config)
    found = blocks(model, find_head(model))
    assert (len(found), found[-1]) == (count, last)
    assert trained_share(model) < 0.5
    assert trained_share(model, 1) < trained_share(model) < trained_share(model, 3)


def test_a_run_trains_the_last_block_and_the_head_alone(run: Any) -> None:
    check = run(method="last_layer", LAST_LAYERS=2).training_check
    # layer4.0: two convolutions, that of the shortcut, and a norm for each; the classifier
    assert check["trained_tensors"] == check["moved_tensors"] == 3 + 3 * 2 + 2
    assert check["frozen_changed"] == 0
