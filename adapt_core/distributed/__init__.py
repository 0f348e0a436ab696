"""Processes and devices of a run.

world.py       rank, size and device of a process
devices.py     the device of a process: choice, precision, peak memory
processor.py   the speed of the CPU in half precision
torchrun.py    the environment that torchrun sets
sharding.py    tensors sharded over processes (DTensor)
agreement.py   what rank 0 found, in every process
replicated.py  data parallel training, the default strategy
batch_norm.py  running statistics shared over processes
"""
