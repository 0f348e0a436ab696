"""The method peft: any adapter method that peft ships, by its name and with its own options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from peft import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn
from transformers.pytorch_utils import Conv1D

from adapt_core.contracts import AttachContext
from adapt_core.errors import InputError

from adapt_peft_ssf.layers import CONVOLUTIONS, kind_of, transforms_its_weight
from adapt_peft_ssf.methods.adapter import AdapterMethod
from adapt_peft_ssf.methods.peft_needs import METHODS, refuse_what_needs_more
from adapt_peft_ssf.methods.trial import unfaithful
from adapt_peft_ssf.params import AnyPeftParams

_OURS = ("target_modules", "modules_to_save", "inference_mode", "peft_type", "task_type")

_PREPARED = ("lora_ga", "eva", "corda", "loftq")
"""Starts that peft computes from batches or another base before the adapter is attached."""


def _folded(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


class AnyPeft(AdapterMethod[AnyPeftParams]):
    """One of peft's methods that adapt layers (IA3, LoHa, LoKr, VeRA, OFT, ...)."""

    name = "peft"

    def __init__(self, params: AnyPeftParams) -> None:
        super().__init__(params)
        self._options = dict(params.peft_options or {})
        self._tried: dict[tuple[object, ...], str | None] = {}

    def check_params(self, context: AttachContext) -> None:
        """Check that peft has such a method, that it adapts layers, and that it knows the options."""
        fields = self._fields()
        for option in self._options:
            if option in _OURS:
                raise InputError(
                    f"peft_options: {option} is not an option; adapt sets it (target_modules is a key). Remove it."
                )
            if option not in fields:
                near = get_close_matches(option, fields, n=1)
                hint = f" Did you mean {near[0]}?" if near else f" Options: {', '.join(sorted(fields))}."
                raise InputError(f"peft_options: {self.params.peft_name} has no option {option!r}.{hint}")
        refuse_what_needs_more(self._kind(), self._options)
        start = str(self._options.get("init_lora_weights", "")).casefold()
        if start.startswith(("pissa", "olora")):
            raise InputError(
                f"peft_options: init_lora_weights: {start} moves a part of the base into the adapter. Use method LoRA "
                "or DoRA, which take this start and save an adapter for the base as it is published."
            )
        if start in _PREPARED:
            raise InputError(
                f"peft_options: init_lora_weights: {start} needs a preparation; without it peft trains plain LoRA, or "
                "nothing. Use method LoRA or DoRA, which prepare this start."
            )

    def _kind(self) -> str:
        wanted = _folded(self.params.peft_name or "")
        return next((str(kind.value) for kind in PEFT_TYPE_TO_CONFIG_MAPPING if _folded(kind.value) == wanted), "")

    def _class(self) -> Any:
        wanted = self.params.peft_name or ""
        found = {str(kind.value): item for kind, item in PEFT_TYPE_TO_CONFIG_MAPPING.items()}.get(self._kind())
        if found is None or "target_modules" not in inspect.signature(found).parameters:
            usable = sorted(
                str(kind.value)
                for kind, item in PEFT_TYPE_TO_CONFIG_MAPPING.items()
                if "target_modules" in inspect.signature(item).parameters and kind.value not in METHODS
            )
            what = (
                "is not given"
                if not wanted
                else f"{self.params.peft_name!r} is not a method of peft that adapts layers"
            )
            raise InputError(f"peft_name: {what}. There are: {', '.join(usable)}.")
        return found

    def _fields(self) -> list[str]:
        return [field.name for field in dataclasses.fields(self._class()) if field.init and field.name not in _OURS]

    def by_default(self, module: nn.Module) -> bool:
        """Choose every Linear and Conv1D."""
        return isinstance(module, (nn.Linear, Conv1D))

    def refusal(self, module: nn.Module) -> str | None:
        """Return why a module is refused: it has no weight, or merged it would compute something else than it trains.

        peft itself judges the rest.
        """
        if list(module.children()) or getattr(module, "weight", None) is None:
            return f"it is a {type(module).__name__}, not a layer with a weight"
        if transforms_its_weight(module):
            return "it standardizes its weight, which would undo the update in the merged model"
        if not isinstance(module, CONVOLUTIONS):
            return None
        kind = kind_of(module)
        if kind not in self._tried:
            self._tried[kind] = unfaithful(module, self.make_config(["layer"], [module], []))
        return self._tried[kind]

    def make_config(self, targets: list[str] | str, layers: Sequence[nn.Module], saved: list[str]) -> PeftConfig:
        """Return the config of the named method."""
        options = dict(self._options)
        if "feedforward_modules" in self._fields():  # IA3 would look it up in a table of model names
            options.setdefault("feedforward_modules", [])
        try:
            config: PeftConfig = self._class()(target_modules=targets, modules_to_save=saved or None, **options)
        except ImportError as error:  # AdaMSS asks for scikit-learn
            raise InputError(
                f"peft_name: {self.params.peft_name} needs a package that is not installed: {error}. Install it."
            ) from error
        except (TypeError, ValueError) as error:
            raise InputError(f"peft_options: {' '.join(str(error).split())} (Correct the option.)") from error
        return config
