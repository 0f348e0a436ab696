"""adapt: one YAML file, one command, a pretrained model that has learned your data.

The public Python API is in `__init__.pyi`. Its names load on first use: importing this package costs nothing, and torch
is imported only when a run starts. `adapt_core.plugin` and `adapt_core.hf` are the public names for plugin authors.

api.py           run, check, predict, export
contracts/       the protocols Task, Method, Quantizer, Launcher, Loop
capabilities/    optional protocols: what an implementation may support
evaluation.py    data classes that loops and reports share
evaluated_rows.py  what an evaluation says of each row
result.py        RunResult
result_records.py  the records in it, as in result.json
errors.py        errors with exit codes
lazy.py          names that load on first use
builtin.py       the hook module of what core provides
plugin/          hooks, specs, parameters, registry
config/          from YAML to a plan
run_folder/      paths, checkpoints, resume
runtime/         progress, logs, signals
nn/              structure and weights of torch modules
distributed/     processes, devices, sharding
verification/    training check, merge check
uncertainty/     intervals of metrics, kept predictions, paired tests
execution/       a run from top to bottom
metrics/         metrics of classes, labels and numbers that METRICS chooses
methods/         full, last_layer
launchers/       local
exporters/       the SAVE_METHODs
trackers/        TRACKERS
board/           adapt board
report/          report.html, the model card, adapt compare
estimate/        adapt check
cli/             one module per command
testing/         contract tests and small models for plugin authors
hf/              what tasks on Hugging Face models share
"""

from __future__ import annotations

from adapt_core.lazy import lazy_names

__version__ = "0.1.0"

__getattr__, __dir__ = lazy_names(__name__, __file__)
