"""The SSF tuner: puts an `SsfLayer` around each target module."""

from __future__ import annotations

from typing import ClassVar

from peft import PeftConfig
from peft.tuners.tuners_utils import BaseTuner
from torch import nn

from adapt_peft_ssf.ssf.config import SsfConfig
from adapt_peft_ssf.ssf.layer import SsfLayer, refusal


class SsfModel(BaseTuner):
    """A model whose layers are scaled and shifted. See `SsfConfig` for what can be chosen."""

    prefix: str = "ssf_"
    tuner_layer_cls = SsfLayer
    target_module_mapping: ClassVar[dict[str, list[str]]] = {}

    def _prepare_adapter_config(self, peft_config: PeftConfig, model_config: object) -> PeftConfig:
        return peft_config

    def _prepare_model(self, peft_config: SsfConfig, model: nn.Module) -> None:
        if peft_config.target_modules is None:
            peft_config.target_modules = {
                name for name, module in model.named_modules() if name and refusal(_base_of(module)) is None
            }

    def _create_and_replace(
        self,
        peft_config: SsfConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **_: object,
    ) -> None:
        if isinstance(target, SsfLayer):
            target.update_layer(adapter_name, peft_config)
            return
        reason = refusal(target)
        if reason is not None:
            raise ValueError(f"SSF cannot take the module {current_key}: {reason}")
        layer = SsfLayer(target, adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        """Put a module in another's place, or the original back: then no weight has to move."""
        if isinstance(new_module, SsfLayer):
            super()._replace_module(parent, child_name, new_module, child)
        else:
            setattr(parent, child_name, new_module)


def _base_of(module: nn.Module) -> nn.Module:
    return module.get_base_layer() if isinstance(module, SsfLayer) else module
