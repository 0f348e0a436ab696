"""The parameters of the built-in methods (apart from their implementations, which import torch)."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class LastLayerParams:
    """Parameters of `last_layer`."""

    last_layers: int = param(
        1,
        "How many last layers train: 1 is the head alone, n adds the last n - 1 blocks and what follows them.",
        key="LAST_LAYERS",
        ge=1,
    )
    frozen_dropout: bool = param(
        False,
        "Keep dropout at work in the frozen layers too, as a script does that calls model.train(). They then cannot be "
        "computed once (FROZEN_CACHE_GB).",
        key="FROZEN_DROPOUT",
    )
