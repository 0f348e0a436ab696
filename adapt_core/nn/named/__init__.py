"""Losses, optimizers and schedules that a config names by their dotted names, "package.module:Name".

code.py        what may be named, and its import
optimizers.py  OPTIMIZER
schedules.py   SCHEDULER_TYPE, as a table of factors
losses.py      LOSS
"""
