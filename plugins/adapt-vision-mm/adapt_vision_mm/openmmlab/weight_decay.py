"""The parameter groups of an optimizer, where only matrices decay (mmengine leaves that to each config)."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from adapt_core.nn.weight_decay import decaying


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MatrixDecayConstructor(DefaultOptimWrapperConstructor):
    """mmengine's groups, one for each parameter, without weight decay on vectors.

    mmengine's own `norm_decay_mult` and `flat_decay_mult` do not reach what a config's `custom_keys` name: a smaller
    rate for the backbone brings decay to all of its norms.
    """

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = "",
        is_dcn_module: int | float | None = None,
    ) -> None:
        """Add the groups of a module and of all modules in it."""
        super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:
            names = decaying(module)
            matrices = {
                id(parameter) for name, parameter in module.named_parameters(remove_duplicate=False) if name in names
            }
            for group in params:
                if not all(id(parameter) in matrices for parameter in group["params"]):
                    group["weight_decay"] = 0.0
