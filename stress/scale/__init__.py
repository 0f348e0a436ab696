"""Costly runs: what grows with rows, documents, images, classes and steps.

jobs.py      the runs, each with its full and its short size
material.py  texts and images that are made, and the models
watch.py     a run in several processes: stopped near its start and near its end, watched meanwhile
figures.py   what the watched numbers come to, and what is held against them
page.py      the record, and the table of docs/scale.md

allocations.py and counted_run.py count what is allocated, which memory of a process is not, in runs of one process.
"""
