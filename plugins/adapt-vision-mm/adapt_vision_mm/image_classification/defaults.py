"""The model of image classification where a config names none. The hook module imports it."""

from __future__ import annotations

DEFAULT_ARCHITECTURE = "densenet121"
DEFAULT_MODEL_TYPE = "densenet_timm"
DEFAULT_PROCESSOR = "facebook/convnext-tiny-224"
TIMM_SUFFIX = "_timm"
"""The end of a model_type that names a timm architecture."""
