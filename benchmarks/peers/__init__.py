"""adapt beside plain scripts of the libraries underneath: `python -m benchmarks.peers --help`."""
