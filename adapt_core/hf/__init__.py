"""The Hugging Face side of adapt-core[hf].

data/    rows: from files to splits of good rows
models/  models and tokenizers: found, loaded, saved
loop/    the training loop on transformers' Trainer
tasks/   what language tasks share
"""
