"""A frozen part that runs once: what it makes of a row is kept on disk, and training starts from there.

trace.py     one forward pass: the frozen modules before the first that trains, and what the rest uses of their outputs
values.py    the used part of an output: taken out of a batch, and put back into another
replay.py    a forward pass in which those modules return what was kept
store.py     the files of what was kept, which later runs find again
rows.py      the rows of a split: their key, their inputs, their numbers
key.py       the key of a frozen part: its weights, classes and settings
trial.py     a few rows, by which is found what is kept and whether it will do
part.py      the frozen part of a loop: tried, filled, replayed
"""
