"""adapt: one YAML file, one command, a pretrained model that has learned your data.

The names below are the public Python API. They load on first use, so that importing this package costs
nothing: `run` pulls in torch only when a run starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapt_core.api import check, export, predict, run
    from adapt_core.errors import AdaptError, ConfigError, InputError
    from adapt_core.result import RunResult

__version__ = "0.1.0"

_LAZY = {
    "AdaptError": "adapt_core.errors",
    "ConfigError": "adapt_core.errors",
    "InputError": "adapt_core.errors",
    "RunResult": "adapt_core.result",
    "check": "adapt_core.api",
    "export": "adapt_core.api",
    "predict": "adapt_core.api",
    "run": "adapt_core.api",
}

__all__ = [
    "AdaptError",
    "ConfigError",
    "InputError",
    "RunResult",
    "__version__",
    "check",
    "export",
    "predict",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'adapt_core' has no attribute {name!r}")
