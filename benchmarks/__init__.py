"""Scripts behind the figures in docs/: run from the repository's root as `python -m benchmarks.NAME --help`."""
