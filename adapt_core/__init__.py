"""adapt: one YAML file, one command, a pretrained model that has learned your data.

The public Python API is in `__init__.pyi`. Its names load on first use: importing this package costs nothing, and torch
is imported only when a run starts. `adapt_core.plugin` and `adapt_core.hf` are the public names for plugin authors.
"""

from __future__ import annotations

from adapt_core.lazy import lazy_names

__version__ = "0.1.0"

__getattr__, __dir__ = lazy_names(__name__, __file__)
