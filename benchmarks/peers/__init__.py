"""adapt compared with plain scripts of the underlying libraries: `python -m benchmarks.peers --help`."""
