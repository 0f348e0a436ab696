"""Text that goes on from a prompt, with causal language models."""
