"""The config language: from a YAML file to a validated plan.

reading.py     a file, mapping or `--set` -> entries that remember their line
flattening.py  sections opened, names folded, duplicates judged
selection.py   which task, method, quantizer and launcher the switches choose
ownership.py   each key to its one owner; unknown, unused and legacy keys named
values.py      one raw value -> the declared type
rules.py       what no single key can tell: combinations
core_params.py the keys that core owns
known_keys.py  every documented key and the distribution that owns it
legacy.py      what became of the keys of the tool before
"""
