"""What `adapt check` foretells of memory, against the tensors of a real step (`python -m benchmarks.memory`)."""
