"""Faults on purpose: runs killed, ranks killed, data sets spoiled. `python -m stress.NAME --help`, from the root."""
