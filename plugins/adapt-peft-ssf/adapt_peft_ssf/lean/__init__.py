"""LoRA's and DoRA's linear layers, which keep less for the backward pass than peft's and compute the same.

dropout.py    dropout of torch's random stream, which keeps a bit for each number
norms.py      norms of DoRA, kept in evaluation
functions.py  the layers as functions of autograd
layers.py     peft's layer, which uses them where they give what its own forward gives
quantized.py  peft's layers on quantized ones
"""
