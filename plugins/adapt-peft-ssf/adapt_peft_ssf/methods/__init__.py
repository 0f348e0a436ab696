"""Adapter methods on peft.

adapter.py      the base of all: attach, trainable groups, files, merge
targets.py      the modules that get an adapter
patterns.py     LoRA's parameters that choose modules by name
heads.py        the modules that train in full and are saved with it
peft_models.py  adapters on Hugging Face models and on any other module, in one file format
lora.py         LoRA
starts.py       starts that change the base, saved as adapters on the base as it was
dora.py         DoRA
ssf.py          SSF, on the tuner in `adapt_peft_ssf.ssf`
any_peft.py     any other method of peft, by its name
trial.py        an adapter on one convolution, tried before training
"""
