"""Adapter methods on peft.

adapter.py      the base of all: attach, trainable groups, files, merge
targets.py      the modules that get an adapter
patterns.py     LoRA's parameters that choose modules by name
heads.py        the modules that train in full and are saved with it
peft_models.py  adapters on Hugging Face models and on any other module, in one file format
lora.py         LoRA
lora_options.py  the options of peft's LoraConfig without a key of their own
data_starts.py  starts from training data (EVA, CorDA, LoRA-GA)
loftq.py        a start from what 4 bits rounded away
starts.py       starts that change the base, saved as adapters on the base as it was
dora.py         DoRA
ssf.py          SSF, on the tuner in `adapt_peft_ssf.ssf`
any_peft.py     any other method of peft, by its name
peft_needs.py   what of peft needs more than to be constructed
trial.py        an adapter on one convolution, tried before training
"""
