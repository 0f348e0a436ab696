"""SSF (Lian et al., 2022, "Scaling & Shifting Your Features") as a tuner of peft's.

Importing this package makes peft know the type "SSF": `get_peft_model`, `PeftModel.from_pretrained` and the rest then
work as with peft's own methods.

config.py  the config, as peft keeps it in adapter_config.json
layer.py   layers whose output is scaled and shifted
model.py   the tuner
"""

from __future__ import annotations

from aenum import extend_enum
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from peft.utils import PeftType, register_peft_method

if "SSF" not in PeftType.__members__:
    extend_enum(PeftType, "SSF", "SSF")

from adapt_peft_ssf.ssf.config import SsfConfig
from adapt_peft_ssf.ssf.layer import SsfLayer
from adapt_peft_ssf.ssf.model import SsfModel

if PeftType("SSF") not in PEFT_TYPE_TO_TUNER_MAPPING:
    register_peft_method(name="ssf", config_cls=SsfConfig, model_cls=SsfModel)

__all__ = ["SsfConfig", "SsfLayer", "SsfModel"]
