"""Base models in 4 or 8 bits, on bitsandbytes.

bnb_4bit.py       4 bits
bnb_8bit.py       8 bits
conversion.py     linear layers replaced by quantized ones, and back
dequantization.py 4-bit weights of any width on a CPU
preparation.py    a quantized model made ready to train an adapter on
layers.py         an 8-bit layer that corrects bitsandbytes' own
"""
