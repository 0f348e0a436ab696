"""Fault injection: killed runs, killed ranks, corrupted data sets, hostile folders.

`python -m stress.NAME --help`, from the root.
"""
