"""The config language: from a YAML file to a validated plan.

reader.py         a file, mapping or `--set` -> entries that remember their line
sections.py       sections opened, names folded, duplicates reported
continuation.py   what START_FROM takes from the config of a finished run
selection.py      the task, method, quantizer and launcher that the switches choose
ownership.py      the one owner of each key; unknown, unused and legacy keys
values.py         one raw value -> the declared type
data_places.py    several data sets: the list under CUSTOM_DATASET_PATH
rules.py          combinations of keys that contradict each other
named_code.py     what OPTIMIZER, SCHEDULER_TYPE and LOSS name by dotted names
backward_steps.py whether the optimizer steps inside the backward pass
stop_after.py     the time or the steps after which a command stops
data_checks.py    the checks of the data that VERDICT names, or that serve the task
listed.py         what the names in a list mean: METRICS, EXPORT, TRACKERS
metrics.py        the metrics that METRICS chooses, and all those of a run
trackers.py       the trackers that TRACKERS chooses
exporters.py      the exporters that EXPORT chooses
formats.py        the formats of data that serve the task
resolver.py       all of these in order: a config -> a plan
plan.py           the plan, pure data
plan_json.py      a plan as JSON, for worker processes
fitting.py        learning rate, epochs and batch size that fit a plan
core_params/      the keys that core owns
known_keys.py     every documented key and the distribution that owns it
other_names.py    names of other tools for our keys
fitted_keys.py    BATCH_SIZE: auto, GRADIENT_CHECKPOINTING: auto
legacy.py         keys of nyuntam_adapt that changed or have no effect
legacy_values.py  values of its files, as adapt reads them
declared.py       every parameter that is declared, by owner
schema.py         a JSON Schema of configs
starter.py        `adapt init`: a starter config
"""
