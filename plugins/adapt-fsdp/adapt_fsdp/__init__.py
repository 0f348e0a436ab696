"""adapt-fsdp: see README.md."""
