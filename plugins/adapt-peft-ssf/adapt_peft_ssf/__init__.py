"""adapt-peft-ssf: see README.md."""
