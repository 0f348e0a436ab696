"""What adapt reaches on real data: `python -m benchmarks.results --help`."""
