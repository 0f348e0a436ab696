"""Estimates of a run's steps, memory and disk: `adapt check`.

estimate.py          the estimate of a plan: model inputs, steps, parameters, memory and disk
memory.py            the bytes of a run's tensors
optimizers.py        the state that each optimizer keeps for a parameter
activations.py       activations kept for the backward pass
attention_results.py those of attention, which KEEP_ATTENTION keeps
fitted_run.py        a run as memory allows it, and with less where memory ran out
batch_size.py        the batch size that memory allows: BATCH_SIZE: auto
recomputation.py     what memory makes recompute: GRADIENT_CHECKPOINTING: auto
checkpoints.py       how many checkpoints there will be, and their bytes on disk
ranks.py             the memory of each process, under every launcher
"""
