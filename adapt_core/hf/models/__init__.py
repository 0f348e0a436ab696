"""Hugging Face models: found, loaded and saved. Needs the extra `adapt-core[hf]`.

location.py      what MODEL_PATH names
hub.py           requests to the Hugging Face hub
gguf.py          GGUF files, converted to model folders
gguf_positions.py  how they scale rotary positions, which transformers leaves out
pretrained.py    models, tokenizers and processors in memory
device_dtype.py  weights in the data type that the device computes fast
base_weights.py  what a checkpoint must hold
checkpoint.py    MODEL_CHECKPOINT
attention.py     flash attention
tokenizers.py    tokenizers and their length limits
new_tokens.py    ADD_TOKENS
save_formats.py  SAVE_METHOD
adapters.py      what plain peft needs beside an adapter
logging.py       log messages and progress bars of the libraries
"""
