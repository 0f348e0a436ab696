"""The public names for tasks on Hugging Face models; needs `adapt-core[hf]`. Stable under `adapt_core.plugin.HOOK_API`.

`__init__.pyi` lists them. They load on first use: importing this package imports neither torch nor transformers.

data/      rows: from files to splits of good rows
models/    models and tokenizers: found, loaded, saved
frozen/    a frozen part that runs once
decisions/ from outputs to decisions: calibrated, with abstention
problems/  what is learned of a row: one label, several labels, numbers
loop/      the training loop on transformers' Trainer
tasks/     what language tasks share
"""

from __future__ import annotations

from adapt_core.lazy import lazy_names

__getattr__, __dir__ = lazy_names(__name__, __file__)
