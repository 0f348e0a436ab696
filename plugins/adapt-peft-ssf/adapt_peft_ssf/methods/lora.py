"""The method LoRA, on peft."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftConfig
from torch import nn
from transformers.pytorch_utils import Conv1D

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError
from adapt_core.nn.weight_decay import keep_scales

from adapt_peft_ssf.layers import CONVOLUTIONS, transforms_its_weight
from adapt_peft_ssf.lean.layers import use_lean_layers
from adapt_peft_ssf.methods import data_starts, peft_models, starts
from adapt_peft_ssf.methods.adapter import AdapterMethod
from adapt_peft_ssf.methods.loftq import start_by_rounding
from adapt_peft_ssf.methods.lora_options import (
    checked_options,
    require_bias,
    require_parameters,
    require_tokens,
    with_new_rows,
    without_excluded,
)
from adapt_peft_ssf.methods.patterns import in_layers, named_modules, numbers_by_pattern
from adapt_peft_ssf.params import LoraParams

log = logging.getLogger(__name__)

_LAYERS = (nn.Linear, Conv1D, *CONVOLUTIONS, nn.Embedding)
_FROM_DATA = {
    "eva": data_starts.start_by_variance,
    "corda": data_starts.start_by_covariance,
    "lora_ga": data_starts.start_by_gradient,
}
_STARTS = ("gaussian", "pissa", "olora", "orthogonal", "mica", "loftq", *_FROM_DATA)
_INTO_THE_ADAPTER = ("olora", "corda", "lora_ga")
_PISSA = re.compile(r"pissa(_niter_\d+)?")


class Lora(AdapterMethod[LoraParams]):
    """LoRA: low-rank adaptation (Hu et al., 2021, arXiv:2106.09685).

    The starts pissa (Meng et al., 2024, arXiv:2404.02948), olora (Büyükakyüz, 2024, arXiv:2406.01775), corda and
    lora_ga move a part of the base weights into the adapter. eva, corda, lora_ga and loftq are computed once it is
    attached.
    """

    name = "LoRA"
    decomposes = False
    trains_new_rows = True

    def __init__(self, params: LoraParams) -> None:
        super().__init__(params)
        self._start = params.init_lora_weights
        self._ranks: dict[str, int] = {}
        self._alphas: dict[str, int] = {}
        self._first: starts.Factors = {}
        if isinstance(self._start, str):
            self._start = self._start.strip().casefold()
        self._options: dict[str, Any] = {}

    def check_params(self, context: AttachContext) -> None:
        """Check `lora_options`, and that `init_lora_weights` is true, false or a start, on a base that allows it."""
        start = self._start
        self._options = checked_options(self.params.lora_options, start)
        if context.new_rows:
            self._options["trainable_token_indices"] = with_new_rows(
                self._options.get("trainable_token_indices"), context.new_rows
            )
        if isinstance(start, bool):
            return
        if start not in _STARTS and not _PISSA.fullmatch(start):
            near = get_close_matches(start, _STARTS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(
                f"init_lora_weights must be true, false, {', '.join(_STARTS)} or pissa_niter_N; not {start!r}.{hint}"
            )
        if context.quantized and self.changes_base:
            raise InputError(
                f"init_lora_weights: {start} rewrites the base weights, which cannot be done on a quantized base. "
                "Use true, gaussian, eva, or loftq on 4 bits."
            )
        if start == "loftq" and not context.quantized:
            raise InputError(
                "init_lora_weights: loftq makes up for a base in 4 bits. Set load_in_4bit: true, or use true."
            )
        if start == "mica" and context.quantized:
            raise InputError("init_lora_weights: mica needs a base in float. Use true or eva.")

    def further_modules(self, model: nn.Module, context: AttachContext) -> list[str]:
        """Return full names of the modules of modules_to_save; parameters and tokens of lora_options must exist."""
        require_parameters(model, self._options.get("target_parameters", ()), self.params.dropout)
        if "trainable_token_indices" in self._options:
            require_tokens(model, self._options["trainable_token_indices"])
        return named_modules(model, self.params.modules_to_save, context.head)

    def narrow(self, targets: list[str]) -> list[str]:
        """Return the targets in the layers of layers_to_transform; rank_pattern and alpha_pattern must match some."""
        params: LoraParams = self.params
        targets = in_layers(targets, params.layers_to_transform, params.layers_pattern)
        targets = without_excluded(targets, self._options.get("exclude_modules", ()))
        self._ranks = numbers_by_pattern("rank_pattern", params.rank_pattern, targets)
        self._alphas = numbers_by_pattern("alpha_pattern", params.alpha_pattern, targets)
        return targets

    @property
    def changes_base(self) -> bool:
        """True where the start moves a part of the base weights into the adapter."""
        return isinstance(self._start, str) and (
            self._start in _INTO_THE_ADAPTER or _PISSA.fullmatch(self._start) is not None
        )

    def by_default(self, module: nn.Module) -> bool:
        """Choose every Linear, Conv2d and Conv1D."""
        return isinstance(module, (nn.Linear, nn.Conv2d, Conv1D))

    def refusal(self, module: nn.Module) -> str | None:
        """Return why a layer is refused: peft's adapter would not compute or merge what the layer does."""
        if not isinstance(module, _LAYERS):
            return f"it is a {type(module).__name__}, not a layer with a weight"
        if transforms_its_weight(module):
            return "it standardizes its weight, which would undo the update in the merged model"
        if not isinstance(module, CONVOLUTIONS):
            return None
        if module.groups > 1:
            return "grouped convolutions: peft could not merge them (SSF and peft_name LOHA can take them)"
        if any(step > 1 for step in module.dilation):
            return "dilated convolutions: peft's update would not be dilated (SSF and peft_name LOHA can take them)"
        if module.padding_mode != "zeros":
            return f"convolutions with {module.padding_mode} padding: peft's update would pad zeros (SSF can take them)"
        return None

    def make_config(self, targets: list[str] | str, layers: Sequence[nn.Module], saved: list[str]) -> PeftConfig:
        """Return peft's LoraConfig. `fan_in_fan_out` follows the layers where all are Conv1D."""
        params = self.params
        transposed = [isinstance(layer, Conv1D) for layer in layers]
        if params.fan_in_fan_out and not any(transposed):
            log.warning("fan_in_fan_out is not used: no adapted layer keeps its weight as (in, out), as Conv1D does.")
        if self._options.get("lora_bias"):
            require_bias(layers)
        computed = self.preparation_rows() is not None
        options = {name: value for name, value in self._options.items() if name != "exclude_modules"}
        return LoraConfig(
            r=params.r,
            lora_alpha=params.alpha,
            lora_dropout=params.dropout,
            target_modules=targets,
            fan_in_fan_out=all(transposed),
            init_lora_weights=True if computed else self._start,
            use_dora=self.decomposes,
            modules_to_save=saved or None,
            use_rslora=params.use_rslora,
            bias=params.bias,
            rank_pattern=self._ranks,
            alpha_pattern=self._alphas,
            **({} if computed else options),
        )

    def preparation_rows(self) -> int | None:
        """Return `start_rows` for a start from data, 0 for one from the base alone, None for any other."""
        if self._start in _FROM_DATA:
            return self.params.start_rows
        return 0 if self._start == "loftq" else None

    def prepare(self, model: nn.Module, batches: Sequence[Mapping[str, Any]]) -> None:
        """Compute a start from data, or from what the base was before it was rounded.

        Raises:
            InputError: the start does not suit the model, its rank or the batches.
        """
        if self._start in _FROM_DATA:
            config = peft_models.config_of(model)
            assert isinstance(config, LoraConfig)
            for name, value in self._options.items():
                setattr(config, name, value)
            _FROM_DATA[self._start](model, config, batches)
            config.init_lora_weights = True  # a saved adapter needs no start
            peft_models.keep_in_float(model)
        elif self._start == "loftq":
            start_by_rounding(model)
        keep_scales(model, list(self.trainable_groups(model)["adapter"]))
        if self.changes_base:
            self._first = starts.factors(peft_models.adapter_state(model))

    def finish(self, attached: nn.Module, context: AttachContext, further: Sequence[str]) -> nn.Module:
        """Choose what trains, and let layers keep less."""
        attached = super().finish(attached, context, further)
        if context.lean_layers and not (self.decomposes and context.quantized):
            use_lean_layers(attached)
        return attached

    def go_on(self, model: nn.Module, context: AttachContext, folder: Path) -> nn.Module:
        """Attach a saved adapter, to train it further: whatever its start was, it is a plain one."""
        attached = super().go_on(model, context, folder)
        self._start = True
        return attached

    def attach(self, model: nn.Module, context: AttachContext) -> nn.Module:
        """Attach as every adapter; a start that changes the base is kept, for the file of the trained adapter."""
        attached = super().attach(model, context)
        if self.changes_base and self.preparation_rows() is None:
            self._first = starts.factors(peft_models.adapter_state(attached))
        return attached

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Write the adapter's files; behind a start that changes the base, those of an equal one on the plain base."""
        super().save_adapter(model, folder)
        if self._first:
            config = PeftConfig.from_pretrained(str(folder))
            assert isinstance(config, LoraConfig)
            peft_models.save_state(
                starts.relative_to_base(peft_models.adapter_state(model), self._first, config), folder
            )
            starts.plain_config(config).save_pretrained(str(folder))
        return True

    @contextmanager
    def disable_adapter(self, model: nn.Module) -> Iterator[None]:
        """Switch the adapter off.

        Where its start took a part of the base (pissa, olora), base and fresh adapter together are the base.
        """
        if not self._first:
            with super().disable_adapter(model):
                yield
            return
        with peft_models.other_values(model, self._first):
            yield
