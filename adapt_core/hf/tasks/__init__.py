"""What tasks on Hugging Face's language models share, whoever writes them: their base (language), parameters (params),
raw inputs (inputs) and what `adapt check` shows of their data (previewing). Needs the extra `adapt-core[hf]`."""
