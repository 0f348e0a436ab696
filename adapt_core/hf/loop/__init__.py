"""The training loop of the Hugging Face tasks, around transformers' Trainer. Needs the extra `adapt-core[hf]`."""
