"""Metrics that METRICS chooses beside those of a task; their specs are in `adapt_core.builtin`.

Their values are scikit-learn's, whose import takes a second of a run; tests compare them.

specs.py   what the hook of core registers
chosen.py  the metrics of a plan, imported, and their values for evaluated rows
labels.py  metrics of classes and of several labels
numbers.py metrics of numbers
"""
