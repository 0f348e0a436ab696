"""The public names for plugin authors. They are stable under `HOOK_API`; other modules of `adapt_core` may move.

`__init__.pyi` lists them. They load on first use: importing this package imports neither torch nor transformers.
`adapt_core.hf` adds what a task on a Hugging Face model needs, `adapt_core.testing` the tests for plugins.

params.py          a parameter's declaration: type, default, bounds, help
specs.py           what a plugin registers; HOOK_API, hookimpl
metric_spec.py     what a plugin registers of a metric
exporter_spec.py   what a plugin registers of an exporter
command_spec.py    what a plugin registers of a command
hookspecs.py       the hooks that a plugin may implement
import_strings.py  "package.module:Name"
versions.py        versions of adapt, its plugins and the libraries underneath
entry_points.py    which plugins are installed
registry.py        discovery: what is registered by whom, broken plugins kept apart
"""

from __future__ import annotations

from adapt_core.lazy import lazy_names

__getattr__, __dir__ = lazy_names(__name__, __file__)
