"""Adapters in forms that servers take:

factors.py    the change of a model's layers as pairs of matrices
low_rank.py   lora: any adapted model as a LoRA, with the error that it has
vllm.py       vllm: a LoRA of one rank and scale, as vLLM reads it
asked.py      how an adapter is asked: by plain peft, in a fresh process
"""
