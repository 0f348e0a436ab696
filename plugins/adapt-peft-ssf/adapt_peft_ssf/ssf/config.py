"""The config of an SSF adapter, as peft keeps it in adapter_config.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from peft import PeftConfig
from peft.utils import PeftType

STARTS = ("identity", "random")


@dataclass
class SsfConfig(PeftConfig):
    """Which layers are scaled and shifted, and how they start.

    Attributes:
        target_modules: names, suffixes or a regular expression; None for every layer that SSF can take.
        exclude_modules: names, suffixes or a regular expression of modules to leave out.
        modules_to_save: modules that train whole and are saved with the adapter.
        init_ssf_weights: True or "identity" to start as the base model; "random" as the paper does
            (scale ~ N(1, 0.02), shift ~ N(0, 0.02)).
        shift_without_bias: whether layers that have no bias are shifted too. Merged, such a layer gains a bias,
            which the model's own code may not know when the weights are loaded again.
    """

    target_modules: list[str] | set[str] | str | None = field(default=None)
    exclude_modules: list[str] | set[str] | str | None = field(default=None)
    modules_to_save: list[str] | None = field(default=None)
    init_ssf_weights: bool | str = field(default=True)
    shift_without_bias: bool = field(default=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType("SSF")
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)
        if isinstance(self.exclude_modules, list):
            self.exclude_modules = set(self.exclude_modules)
        if self.init_ssf_weights is not True and self.init_ssf_weights not in STARTS:
            raise ValueError(f"init_ssf_weights must be True, 'identity' or 'random', not {self.init_ssf_weights!r}.")
