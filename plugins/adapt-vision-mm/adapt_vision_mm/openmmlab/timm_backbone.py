"""Any timm model as the backbone of an OpenMMLab config.

It does not import adapt, so that a copy next to a saved model works with plain mmdet and mmpose.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A timm model cut before its head (`features_only`).

    Args:
        name: timm's model name.
        out_indices: the feature levels of the output, by timm's numbering (0 is stride 2 for most models).
        pretrained: download timm's weights.
    """

    def __init__(
        self, name: str, out_indices: tuple[int, ...], pretrained: bool = False, init_cfg: dict[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.body = timm.create_model(name, features_only=True, out_indices=tuple(out_indices), pretrained=pretrained)

    def init_weights(self) -> None:
        """Keep timm's initialisation, which mmengine would overwrite by its own rules."""
        self._is_init = True

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return feature maps (batch, channels, height, width), finest first."""
        return tuple(self.body(images))
