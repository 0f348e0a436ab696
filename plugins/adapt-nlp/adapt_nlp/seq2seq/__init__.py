"""Texts into texts with encoder-decoder models: summarization and translation."""
