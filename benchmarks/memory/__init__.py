"""Memory estimated by `adapt check`, compared with the tensors of a real step (`python -m benchmarks.memory`)."""
