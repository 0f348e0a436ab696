"""The keys that core owns, in four groups. Defaults are the specification's; where it is silent, the field's.

data.py      the source of the data, and the part of it that is used
model.py     the pretrained model and how it is loaded
training.py  the training loop
run.py       the task and method of a run, and the place and form of its results
groups.py    the four together, and what a task changes in them
"""
