"""Helpers for torch modules that no single stage owns.

accelerators.py  GPUs of any kind: number, memory, random states
named/           losses, optimizers and schedules by dotted names
structure.py     blocks, heads and layers of a model
weights.py       state dicts and tied weights
parameters.py    counts of parameters, quantized or not
pickles.py       what torch.load may read from a pickle
forwards.py      other forward functions for a while
modes.py         evaluation or training mode for a while
products.py      float32 matrices multiplied by oneDNN where that is faster
precision.py     half-precision weights in float32 for a while
rms_norm.py      an RMS norm that keeps little, for itself and for what comes next
recomputation.py what a block computes again in the backward pass
learning_rates.py learning rates by depth
running_average.py an exponential moving average over the steps
soup.py          weights of several checkpoints, averaged
batch_norms.py   statistics of batch norms, estimated again
weight_decay.py  which parameters decay
staging.py       copies of state, which are written while the state goes on
random_state.py  seeds, and code that leaves random state untouched
"""
