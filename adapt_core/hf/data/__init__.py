"""Data sets through Hugging Face datasets: where from (source), which splits (splits), which columns (columns),
which labels (labels), and preprocessing that is cached between runs (caching). Needs the extra `adapt-core[hf]`."""
