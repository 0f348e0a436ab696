"""Results of adapt on real data: `python -m benchmarks.results --help`."""
