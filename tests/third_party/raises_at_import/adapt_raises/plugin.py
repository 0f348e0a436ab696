"""Fails as plugins in the wild do: something that it needs is not there."""

raise OSError("libquantum.so.3: cannot open shared object file")
