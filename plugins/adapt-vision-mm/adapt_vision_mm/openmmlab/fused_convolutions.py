"""Evaluation with each convolution, its batch norm and its activation as one operation of oneDNN, on a CPU.

torch computes the three one after the other, and each reads and writes all features; oneDNN has them in one pass over
features whose channels lie next to each other. The batch norm of a model in evaluation is part of the convolution's
weights then (Jacob et al., 2018, arXiv:1712.05877, section 3.2). Sums are taken in another order, so results differ by
rounding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import torch
from mmcv.cnn import ConvModule
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from adapt_core.nn.forwards import replaced_forwards

if TYPE_CHECKING:
    from mmengine.model import BaseModel

_CLOSE = 1e-4
"""The greatest difference from the plain features, as a share of the greatest of these, that rounding may make."""
_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)

log = logging.getLogger(__name__)

_Activation = tuple[str, list[float], str]


class FusedConvolutions:
    """Whether the evaluations of a run fuse convolutions: tried once, on the first image of the first evaluation.

    Args:
        wanted: FUSE_CONVOLUTIONS.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        self._tried = False

    @contextmanager
    def of(self, model: nn.Module, batch: dict[str, Any]) -> Iterator[None]:
        """Within the context, a model in evaluation mode computes fused, where that gives the same features.

        Args:
            model: of mmdet or mmpose, with gradients disabled.
            batch: as its `val_step` takes it; its first image is computed both ways, once in a run.
        """
        if self._wanted and not self._tried:
            self._tried = True
            self._wanted = _same_both_ways(model, {name: rows[:1] for name, rows in batch.items()})
        if not self._wanted:
            yield
            return
        with fused_convolutions(model):
            yield


def _same_both_ways(model: BaseModel, batch: dict[str, Any]) -> bool:
    plain = _features(model, batch)
    try:
        with fused_convolutions(model):
            fused = _features(model, batch)
            model.val_step(batch)
    except RuntimeError as error:
        # A model may take a view of features that is only possible where they lie row by row; what is wrong with the
        # model itself comes again in the evaluation that follows.
        log.info("FUSE_CONVOLUTIONS has no effect on this model: %s", " ".join(str(error).split())[:200])
        return False
    pairs = zip(plain, fused, strict=True)
    same = all(float((one - other).abs().max()) <= _CLOSE * float(one.abs().max()) for one, other in pairs)
    if not same:
        log.info("FUSE_CONVOLUTIONS has no effect on this model: its features differ by more than rounding.")
    return same


def _features(model: BaseModel, batch: dict[str, Any]) -> list[torch.Tensor]:
    found = model.extract_feat(model.data_preprocessor(batch, False)["inputs"])
    if isinstance(found, torch.Tensor):
        return [found]
    return list(found.values() if isinstance(found, dict) else found)


@contextmanager
def fused_convolutions(model: nn.Module) -> Iterator[None]:
    """Within the context, convolutions of a model compute fused when they are in evaluation mode.

    Those that have hooks, another dtype than float32, parts of other types (an adapter's) or are on another device
    compute as ever, and so do all with gradients or autocast. Weights must not change within the context.

    Args:
        model: with `ConvModule`s of mmcv, or convolutions alone.
    """
    blocks = [module for module in model.modules() if type(module) is ConvModule and _is_plain_block(module)]
    inside = {block.conv for block in blocks}
    replaced: dict[nn.Module, Callable[..., torch.Tensor]] = {block: _block(block) for block in blocks}
    for module in model.modules():
        if type(module) is nn.Conv2d and module not in inside and _is_plain(module):
            replaced[module] = _convolution(module)
    with replaced_forwards(replaced):
        yield


@attrs.frozen
class _Fused:
    """A convolution in one operation.

    Attributes:
        weight: float32 (outputs, inputs / groups, height, width), channels next to each other.
        bias: float32 (outputs,), or None.
        conv: whose stride, padding, dilation and groups it has.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    conv: nn.Conv2d

    def __call__(self, features: torch.Tensor, activation: _Activation) -> torch.Tensor:
        conv = self.conv
        laid_out = features.contiguous(memory_format=torch.channels_last)
        found: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
            laid_out, self.weight, self.bias, conv.padding, conv.stride, conv.dilation, conv.groups, *activation
        )
        return found


_NOTHING: _Activation = ("none", [], "")


def _convolution(conv: nn.Conv2d) -> Callable[..., torch.Tensor]:
    """Return what computes a convolution without norm and activation."""
    plain, fused = conv.forward, _fused(conv, None)

    def forward(features: torch.Tensor) -> torch.Tensor:
        return fused(features, _NOTHING) if _is_for_evaluation(conv, features) else plain(features)

    return forward


def _block(block: ConvModule) -> Callable[..., torch.Tensor]:
    """Return what computes a convolution with norm and activation, where it has them."""
    plain, fused = block.forward, _fused(block.conv, block.norm)
    activation = _activation(block.activate) if block.with_activation else _NOTHING

    def forward(features: torch.Tensor, activate: bool = True, norm: bool = True) -> torch.Tensor:
        if not norm or not _is_for_evaluation(block, features):
            found: torch.Tensor = plain(features, activate, norm)
            return found
        if not activate:
            return fused(features, _NOTHING)
        if activation is None:
            activated: torch.Tensor = block.activate(fused(features, _NOTHING))
            return activated
        return fused(features, activation)

    return forward


def _fused(conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> _Fused:
    weight, bias = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
    if norm is not None:
        assert norm.running_mean is not None  # see `_is_foldable`
        assert norm.running_var is not None
        weight, bias = fuse_conv_bn_weights(
            weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
    laid_out = weight.detach().contiguous(memory_format=torch.channels_last)
    return _Fused(laid_out, None if bias is None else bias.detach(), conv)


def _activation(module: nn.Module) -> _Activation | None:
    """Return an activation as oneDNN names it, or None."""
    if type(module) is nn.LeakyReLU:
        return "leaky_relu", [module.negative_slope], ""
    names = {nn.ReLU: "relu", nn.SiLU: "swish", nn.Hardswish: "hardswish", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
    name = names.get(type(module))
    return None if name is None else (name, [], "")


def _is_for_evaluation(module: nn.Module, features: torch.Tensor) -> bool:
    held = module.training or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
    return not held and features.dtype is torch.float32 and features.dim() == 4


def _is_plain_block(block: ConvModule) -> bool:
    usual = block.order == ("conv", "norm", "act") and not block.with_explicit_padding and not block.with_spectral_norm
    parts = [block, *([block.activate] if block.with_activation else [])]
    plain_conv = type(block.conv) is nn.Conv2d and _is_plain(block.conv)
    return usual and plain_conv and _is_foldable(block.norm) and all(map(_has_no_hooks, parts))


def _is_foldable(norm: nn.Module | None) -> bool:
    if norm is None:
        return True
    return type(norm) in _NORMS and norm.running_mean is not None and not norm.training and _has_no_hooks(norm)


def _is_plain(conv: nn.Conv2d) -> bool:
    on_cpu = conv.weight.device.type == "cpu" and conv.weight.dtype is torch.float32
    padded = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return on_cpu and padded and _has_no_hooks(conv)


def _has_no_hooks(module: nn.Module) -> bool:
    return not (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))
