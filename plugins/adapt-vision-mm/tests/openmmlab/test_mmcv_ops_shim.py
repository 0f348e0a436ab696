"""The operators that torchvision serves: known answers, and mmcv's compiled ones where they are present."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest

pytest.importorskip("torchvision")

import torch

from adapt_vision_mm.openmmlab import mmcv_ops_shim as served

BOXES = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]])
SCORES = torch.tensor([0.9, 0.8, 0.7])


def test_nms_keeps_the_best_of_boxes_that_overlap() -> None:
    assert served.nms(BOXES, SCORES, 0.5, 0).tolist() == [0, 2]
    assert served.nms(BOXES, SCORES, 0.9, 0).tolist() == [0, 1, 2]


@pytest.mark.parametrize("tenths", range(1, 10))
def test_nms_keeps_a_box_whose_overlap_is_the_threshold(tenths: int) -> None:
    boxes = torch.tensor([[0.0, 0, 10, 1], [0, 0, tenths, 1]])
    assert served.nms(boxes, SCORES[:2], tenths / 10, 0).tolist() == [0, 1]
    assert served.nms(boxes, SCORES[:2], tenths / 10 - 0.01, 0).tolist() == [0]


def test_soft_nms_lowers_scores_instead() -> None:
    dets = torch.zeros(3, 5)
    kept = served.softnms(BOXES, SCORES, dets, 0.3, 0.5, 0.01, 1, 0)
    overlap = 90 / 110
    assert kept.tolist() == [0, 2, 1]
    assert dets[:, 4].tolist() == pytest.approx([0.9, 0.7, 0.8 * (1 - overlap)])


def test_nms_match_groups_what_a_box_suppresses() -> None:
    assert served.nms_match(torch.cat([BOXES, SCORES[:, None]], 1), 0.5) == [[0, 1], [2]]


def test_overlaps_pairwise_and_aligned() -> None:
    pairs, rows = torch.zeros(3, 3), torch.zeros(3)
    served.bbox_overlaps(BOXES, BOXES, pairs, 0, False, 0)
    served.bbox_overlaps(BOXES, BOXES, rows, 0, True, 0)
    assert pairs[0].tolist() == pytest.approx([1.0, 90 / 110, 0.0])
    assert rows.tolist() == [1.0, 1.0, 1.0]


def test_roi_align_of_a_ramp_is_its_middle_and_its_gradient_sums_to_one() -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16).contiguous()
    roi = torch.tensor([[0.0, 4, 4, 8, 8]])
    options = {
        "aligned_height": 1,
        "aligned_width": 1,
        "spatial_scale": 1.0,
        "sampling_ratio": 2,
        "pool_mode": 1,
        "aligned": True,
    }
    output, gradient, nothing = torch.zeros(1, 1, 1, 1), torch.zeros_like(ramp), torch.zeros(0)
    served.roi_align_forward(ramp, roi, output, nothing, nothing, **options)
    served.roi_align_backward(torch.ones_like(output), roi, nothing, nothing, gradient, **options)
    assert float(output) == pytest.approx(5.5)
    assert float(gradient.sum()) == pytest.approx(1.0)


def test_focal_loss_and_its_gradient() -> None:
    logits, target = torch.zeros(1, 2), torch.tensor([1])
    loss, gradient = torch.zeros(1, 2), torch.zeros(1, 2)
    served.sigmoid_focal_loss_forward(logits, target, torch.zeros(0), loss, gamma=2.0, alpha=0.25)
    served.sigmoid_focal_loss_backward(logits, target, torch.zeros(0), gradient, gamma=2.0, alpha=0.25)
    one = 0.25 * math.log(2)
    assert loss[0].tolist() == pytest.approx([0.75 * one, 0.25 * one])
    assert gradient[0, 0] > 0 > gradient[0, 1]


def test_an_operator_that_is_not_served_says_its_name() -> None:
    if served.are_compiled():
        pytest.skip("mmcv has compiled operators here")
    pytest.importorskip("mmcv")
    import sys

    with pytest.raises(NotImplementedError, match="'carafe_forward'"):
        sys.modules["mmcv._ext"].carafe_forward()


@pytest.fixture
def compiled() -> Any:
    if not served.are_compiled():
        pytest.skip("mmcv has no compiled operators here (tox -e compiled-operators builds them)")
    return importlib.import_module("mmcv._ext")


@pytest.fixture
def boxes() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(200, 2, generator=generator) * 100
    return torch.cat([corners, corners + 5 + torch.rand(200, 2, generator=generator) * 40], 1)


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.rand(200, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_is_the_compiled_one(compiled: Any, boxes: torch.Tensor, scores: torch.Tensor, offset: int) -> None:
    ours = served.nms(boxes, scores, 0.5, offset)
    assert torch.equal(ours, compiled.nms(boxes, scores, iou_threshold=0.5, offset=offset))


@pytest.mark.parametrize("method", [0, 1, 2])
def test_soft_nms_is_the_compiled_one(compiled: Any, boxes: torch.Tensor, scores: torch.Tensor, method: int) -> None:
    options = {"iou_threshold": 0.3, "sigma": 0.5, "min_score": 1e-3, "method": method, "offset": 0}
    ours, theirs = torch.zeros(200, 5), torch.zeros(200, 5)
    kept = served.softnms(boxes, scores, ours, **options)
    assert torch.equal(kept, compiled.softnms(boxes, scores, theirs, **options))
    assert float((ours[: len(kept)] - theirs[: len(kept)]).abs().max()) <= 1e-5


def test_nms_match_is_the_compiled_one(compiled: Any, boxes: torch.Tensor, scores: torch.Tensor) -> None:
    dets = torch.cat([boxes, scores[:, None]], 1)
    theirs = [list(map(int, group)) for group in compiled.nms_match(dets, iou_threshold=0.5)]
    assert served.nms_match(dets, 0.5) == theirs


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("offset", [0, 1])
def test_overlaps_are_the_compiled_ones(compiled: Any, boxes: torch.Tensor, mode: int, offset: int) -> None:
    ours, theirs = torch.zeros(100, 100), torch.zeros(100, 100)
    for module, found in ((served, ours), (compiled, theirs)):
        module.bbox_overlaps(boxes[:100], boxes[100:], found, mode=mode, aligned=False, offset=offset)
    assert float((ours - theirs).abs().max()) <= 1e-5


@pytest.mark.parametrize("sampling_ratio", [0, 2])
@pytest.mark.parametrize("aligned", [True, False])
def test_roi_align_and_its_gradient_are_the_compiled_ones(
    compiled: Any, boxes: torch.Tensor, sampling_ratio: int, aligned: bool
) -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.rand(1, 4, 32, 32, generator=generator)
    rois = torch.cat([torch.zeros(50, 1), boxes[:50] / 4], 1)
    given = torch.rand(50, 4, 7, 7, generator=generator)
    options = {
        "aligned_height": 7,
        "aligned_width": 7,
        "spatial_scale": 1.0,
        "sampling_ratio": sampling_ratio,
        "pool_mode": 1,
        "aligned": aligned,
    }
    nothing = torch.zeros(0)
    outputs = [torch.zeros(50, 4, 7, 7) for _ in range(2)]
    gradients = [torch.zeros_like(features) for _ in range(2)]
    for module, output, gradient in zip((served, compiled), outputs, gradients, strict=True):
        module.roi_align_forward(features, rois, output, nothing, nothing, **options)
        module.roi_align_backward(given, rois, nothing, nothing, gradient, **options)
    assert float((outputs[0] - outputs[1]).abs().max()) <= 1e-5
    assert float((gradients[0] - gradients[1]).abs().max()) <= 1e-5
