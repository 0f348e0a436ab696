"""The parameter groups of an optimizer: only matrices decay (mmengine leaves that to each config); rates by depth."""

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
            self._set_rates(params, module)

    def _set_rates(self, params: list[dict[str, Any]], model: nn.Module) -> None:
        """Multiply the learning rates by HEAD_LR and LAYER_LR_DECAY, on top of those that a config gives by name."""
        factors = dict(self.paramwise_cfg.get("rate_factors", ()))
        by_id = {id(one): factors[name] for name, one in model.named_parameters() if name in factors}
        for group in params:
            factor = by_id.get(id(group["params"][0]), 1.0)
            if factor != 1:
                group["lr"] = group.get("lr", self.base_lr) * factor
