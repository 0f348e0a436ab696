from adapt_core.api import check, export, predict, run
from adapt_core.errors import AdaptError, ConfigError, InputError
from adapt_core.result import RunResult

__version__: str

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
