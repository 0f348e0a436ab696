"""The operators of `mmcv._ext` by torchvision, for mmcv that was installed without its compiled module.

Import this module before `mmcv.ops`. It does nothing if the compiled operators are installed. An operator that
torchvision does not have raises NotImplementedError with its name when it is called.

It does not import adapt, so that a copy next to a saved model works with plain mmdet and mmpose.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

import torch

_NAME = "mmcv._ext"


def are_compiled() -> bool:
    """Return whether mmcv has its own compiled operators."""
    module = sys.modules.get(_NAME)
    if module is not None:
        return not isinstance(module, _Substitute)
    return importlib.util.find_spec("mmcv") is not None and importlib.util.find_spec(_NAME) is not None


def install() -> None:
    """Install the substitute in `sys.modules` if the compiled module is absent."""
    if _NAME not in sys.modules and not are_compiled():
        sys.modules[_NAME] = _Substitute(_NAME)


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int) -> torch.Tensor:
    """Return the indices of the kept boxes, best first. `offset` 1 counts a box's last pixel in (x2 - x1 + 1)."""
    from torchvision.ops import nms as torchvision_nms

    boxes = boxes.float()
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    # torchvision compares overlaps in float32 with a float64 threshold, mmcv with one in float32: an overlap of exactly
    # 0.6 is above torchvision's 0.6 and not above mmcv's.
    threshold = torch.tensor(iou_threshold, dtype=torch.float32).item()
    kept: torch.Tensor = torchvision_nms(boxes, scores.float(), threshold)
    return kept


def softnms(  # noqa: PLR0913 - mmcv's signature
    boxes: torch.Tensor,
    scores: torch.Tensor,
    dets: torch.Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> torch.Tensor:
    """Fill `dets` (kept, 5) by soft-NMS (method 0 hard, 1 linear, 2 gaussian), and return the kept indices."""
    left_boxes, left_scores = boxes.clone(), scores.clone()
    left = torch.arange(len(scores))
    kept: list[int] = []
    while len(left):
        best = int(left_scores.argmax())
        dets[len(kept), :4] = left_boxes[best]
        dets[len(kept), 4] = left_scores[best]
        kept.append(int(left[best]))
        overlap = _pairwise(left_boxes[best : best + 1], left_boxes, offset)[0]
        if method == 0:
            weight = (overlap < iou_threshold).to(scores.dtype)
        elif method == 1:
            weight = torch.where(overlap >= iou_threshold, 1 - overlap, torch.ones_like(overlap))
        else:
            weight = torch.exp(-(overlap * overlap) / sigma)
        left_scores = left_scores * weight
        stays = left_scores >= min_score
        stays[best] = False
        left_boxes, left_scores, left = left_boxes[stays], left_scores[stays], left[stays]
    return torch.tensor(kept, dtype=torch.long)


def nms_match(dets: torch.Tensor, iou_threshold: float) -> list[list[int]]:
    """Return groups of boxes, each the one that suppresses the others first. `dets` is (n, 5), score last."""
    overlaps = _pairwise(dets[:, :4], dets[:, :4], 0)
    suppressed = torch.zeros(len(dets), dtype=torch.bool)
    groups = []
    for leader in dets[:, 4].argsort(descending=True, stable=True).tolist():
        if suppressed[leader]:
            continue
        suppressed[leader] = True
        matched = (overlaps[leader] >= iou_threshold) & ~suppressed
        members = [i for i in dets[:, 4].argsort(descending=True, stable=True).tolist() if matched[i]]
        suppressed |= matched
        groups.append([leader, *members])
    return groups


def bbox_overlaps(
    first: torch.Tensor, second: torch.Tensor, ious: torch.Tensor, mode: int, aligned: bool, offset: int
) -> None:
    """Fill `ious`: intersection over union (mode 0) or over the first box (mode 1), pairwise or row by row."""
    if aligned:
        ious.copy_(_overlaps(first, second, mode, offset))
    else:
        ious.copy_(_overlaps(first[:, None], second[None], mode, offset))


def _pairwise(first: torch.Tensor, second: torch.Tensor, offset: int) -> torch.Tensor:
    return _overlaps(first[:, None], second[None], 0, offset)


def _overlaps(first: torch.Tensor, second: torch.Tensor, mode: int, offset: int) -> torch.Tensor:
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low + offset).clamp(min=0).prod(-1)
    own = (first[..., 2:] - first[..., :2] + offset).prod(-1)
    if mode == 1:
        return shared / own.clamp(min=offset)
    other = (second[..., 2:] - second[..., :2] + offset).prod(-1)
    return shared / (own + other - shared).clamp(min=offset)


def roi_align_forward(  # noqa: PLR0913 - mmcv's signature
    features: torch.Tensor,
    rois: torch.Tensor,
    output: torch.Tensor,
    argmax_y: torch.Tensor,
    argmax_x: torch.Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill `output` (rois, channels, height, width). Average pooling only."""
    _only_average(pool_mode)
    output.set_(
        torch.ops.torchvision.roi_align(
            features, rois, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
        )
    )


def roi_align_backward(  # noqa: PLR0913 - mmcv's signature
    gradient: torch.Tensor,
    rois: torch.Tensor,
    argmax_y: torch.Tensor,
    argmax_x: torch.Tensor,
    features_gradient: torch.Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill `features_gradient` (images, channels, height, width)."""
    _only_average(pool_mode)
    size = features_gradient.shape
    features_gradient.set_(
        torch.ops.torchvision._roi_align_backward(
            gradient, rois, spatial_scale, aligned_height, aligned_width, *size, sampling_ratio, aligned
        )
    )


def _only_average(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError("roi_align with pool_mode 'max' needs mmcv's compiled operators.")


def sigmoid_focal_loss_forward(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, output: torch.Tensor, gamma: float, alpha: float
) -> None:
    """Fill `output` (n, classes) with the focal loss of each logit; `target` (n,) is a class number."""
    output.copy_(_focal(logits, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, output: torch.Tensor, gamma: float, alpha: float
) -> None:
    """Fill `output` with the gradient of the loss's sum."""
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_(True)
        output.copy_(torch.autograd.grad(_focal(leaf, target, weight, gamma, alpha).sum(), leaf)[0])


def _focal(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, gamma: float, alpha: float
) -> torch.Tensor:
    from torchvision.ops import sigmoid_focal_loss

    hot = (target[:, None] == torch.arange(logits.shape[1], device=logits.device)).to(logits.dtype)
    loss: torch.Tensor = sigmoid_focal_loss(logits, hot, alpha=alpha, gamma=gamma)
    return loss * weight if weight.numel() else loss


_OPERATORS: dict[str, Callable[..., Any]] = {
    operator.__name__: operator
    for operator in (
        nms,
        softnms,
        nms_match,
        bbox_overlaps,
        roi_align_forward,
        roi_align_backward,
        sigmoid_focal_loss_forward,
        sigmoid_focal_loss_backward,
    )
}


class _Substitute(ModuleType):
    """The substitute for `mmcv._ext`."""

    def __init__(self, name: str) -> None:
        super().__init__(name, __doc__)
        self.__spec__ = ModuleSpec(name, None, origin="torchvision")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _OPERATORS.get(name) or _missing(name)


def _missing(name: str) -> Callable[..., Any]:
    def operator(*_: object, **__: object) -> NoReturn:
        raise NotImplementedError(
            f"the operator {name!r} is not among those that torchvision provides; it needs mmcv's compiled operators."
        )

    return operator


install()
