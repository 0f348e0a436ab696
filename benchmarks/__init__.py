"""Scripts behind the figures in docs/. Run them from the repository's root: `python -m benchmarks.NAME --help`."""
