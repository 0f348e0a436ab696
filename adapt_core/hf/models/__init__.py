"""Hugging Face models: found (locate, hub), loaded (loading), saved (saving). Needs the extra `adapt-core[hf]`."""
