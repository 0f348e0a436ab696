"""Base models in 4 or 8 bits, on bitsandbytes."""
