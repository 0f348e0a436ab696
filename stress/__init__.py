"""Fault injection: killed runs, killed ranks, corrupted data sets. `python -m stress.NAME --help`, from the root."""
