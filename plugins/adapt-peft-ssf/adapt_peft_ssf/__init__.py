"""adapt-peft-ssf: see README.md.

plugin.py    the hook module
params.py    the parameters of each method and quantizer
methods/     LoRA, DoRA, SSF and any other method of peft
lean/        layers of LoRA and DoRA that keep less for the backward pass
ssf/         SSF as a tuner of peft's
quantizers/  4 and 8 bits
exporters/   adapters in forms that servers take
layers.py    whether an adapter beside a layer trains and merges what it says
weights.py   the weights of layers, as adapters find them
"""
